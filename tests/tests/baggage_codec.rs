//! W3C Baggage and what OpenTelemetry says of it, against the binary `baggage-codec`. Section names are those of the
//! recommendation.

#![allow(clippy::unwrap_used, reason = "it is a test")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

struct Codec {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Codec {
    fn start() -> Codec {
        let mut child = Command::new(env!("CARGO_BIN_EXE_baggage-codec"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Codec { child, input, output }
    }

    /// One answer a line, at once: the next question waits for it.
    fn ask_bytes(&mut self, line: &[u8]) -> Value {
        self.input.write_all(line).unwrap();
        self.input.write_all(b"\n").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    fn ask(&mut self, question: &Value) -> Value {
        self.ask_bytes(question.to_string().as_bytes())
    }

    fn parse(&mut self, headers: &[&str]) -> Value {
        let mut answer = self.ask(&json!({"op": "parse", "headers": headers}));
        answer["entries"].take()
    }

    fn serialize(&mut self, entries: &Value) -> Value {
        self.ask(&json!({"op": "serialize", "entries": entries}))
    }

    fn forward(&mut self, headers: &[&str]) -> Vec<String> {
        let mut answer = self.ask(&json!({"op": "forward", "headers": headers}));
        serde_json::from_value(answer["headers"].take()).unwrap()
    }
}

impl Drop for Codec {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn entry(key: &str, value: &str) -> Value {
    json!({"key": key, "value": value, "props": []})
}

#[test]
fn parse_as_the_recommendation_has_it() {
    let mut codec = Codec::start();
    let with =
        |key: &str, value: &str, props: Value| json!({"key": key, "value": value, "props": props});
    for (section, headers, expected) in [
        ("the contract", &["k=v;p=1"][..], json!([with("k", "v", json!([["p", "1"]]))])),
        (
            "Example",
            &[
                "key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue",
            ],
            json!([
                with("key1", "value1", json!([["property1", null], ["property2", null]])),
                entry("key2", "value2"),
                with("key3", "value3", json!([["propertyKey", "propertyValue"]])),
            ]),
        ),
        (
            "Examples of HTTP headers: several",
            &["userId=alice", "serverNode=DF%2028,isProduction=false"],
            json!([
                entry("userId", "alice"),
                entry("serverNode", "DF 28"),
                entry("isProduction", "false"),
            ]),
        ),
        (
            "Examples of HTTP headers: spaces",
            &["userId =   alice", "serverNode = DF%2028, isProduction = false"],
            json!([
                entry("userId", "alice"),
                entry("serverNode", "DF 28"),
                entry("isProduction", "false"),
            ]),
        ),
        (
            "Definition: OWS everywhere",
            &[" \t a \t = \t 1 \t ; \t p \t ; \t q \t = \t 2 \t , \t b \t = \t 3 \t "],
            json!([with("a", "1", json!([["p", null], ["q", "2"]])), entry("b", "3")]),
        ),
        (
            "value: any number of =",
            &["a=b=c==;p=d=e"],
            json!([with("a", "b=c==", json!([["p", "d=e"]]))]),
        ),
        (
            "value: may be empty",
            &["a=,b= ,c=;p= ;q"],
            json!(
                [entry("a", ""), entry("b", ""), with("c", "", json!([["p", ""], ["q", null]])),]
            ),
        ),
        (
            "value: percent-decoded",
            &["a=Am%C3%A9lie%20%25%2C%3b%5C%22"],
            json!([entry("a", "Amélie %,;\\\"")]),
        ),
        ("value: encoded white space stays", &["a=%20x%09"], json!([entry("a", " x\t")])),
        ("value: + is no space", &["a=1+1"], json!([entry("a", "1+1")])),
        (
            "value: U+FFFD",
            &["a=%80,b=x%C3,c=hello%80world,d=%F0%9F%92,e=%ff%fe"],
            json!([
                entry("a", "\u{fffd}"),
                entry("b", "x\u{fffd}"),
                entry("c", "hello\u{fffd}world"),
                entry("d", "\u{fffd}"),
                entry("e", "\u{fffd}\u{fffd}"),
            ]),
        ),
        (
            "value: surrogates are no UTF-8",
            &["a=%ED%A0%80"],
            json!([entry("a", "\u{fffd}\u{fffd}\u{fffd}")]),
        ),
        (
            "value: a % alone stands for itself",
            &["a=%,b=%zz,c=100%25,d=%4"],
            json!([entry("a", "%"), entry("b", "%zz"), entry("c", "100%"), entry("d", "%4"),]),
        ),
        ("value: encoded line breaks", &["a=1%0D%0Ab: 2", "c=%0A%00"], json!([entry("c", "\n\0")])),
        (
            "value: all octets",
            &["a=!#$%&'()*+-./0:<=>?@AZ[]^_`az{|}~"],
            json!([entry("a", "!#$%&'()*+-./0:<=>?@AZ[]^_`az{|}~"),]),
        ),
        (
            "key: token, case kept",
            &["!#$%&'*+-.^_`|~09azAZ=1,A=2,a=3"],
            json!([entry("!#$%&'*+-.^_`|~09azAZ", "1"), entry("A", "2"), entry("a", "3"),]),
        ),
        ("key: not decoded", &["%61=1"], json!([entry("%61", "1")])),
        (
            "property: in order, repeated",
            &["k=v;z;b=2;z;b=3;a"],
            json!([with(
                "k",
                "v",
                json!([["z", null], ["b", "2"], ["z", null], ["b", "3"], ["a", null]])
            ),]),
        ),
        (
            "property: values decoded",
            &["k=v;p=%2Cadmin=true;q=%80;r=%09%0A"],
            json!([with(
                "k",
                "v",
                json!([["p", ",admin=true"], ["q", "\u{fffd}"], ["r", "\t\n"]])
            ),]),
        ),
        (
            "property: keys not decoded",
            &["k=v;p%20%3D%20x"],
            json!([with("k", "v", json!([["p%20%3D%20x", null]]))]),
        ),
        (
            "OpenTelemetry: of one name the later wins",
            &["a=1;p,b=2", "a=3"],
            json!([entry("b", "2"), entry("a", "3")]),
        ),
        (
            "malformed ones alone",
            &["a=1,justKey,=2,b b=3,c=\"4\",d=5;,e=6;p q,f=é,g=7\\,(=8,h=9"],
            json!([entry("a", "1"), entry("h", "9"),]),
        ),
        (
            "a list, RFC 9110 5.6.1: empty members",
            &["", ",a=1,, ,b=2,", " \t"],
            json!([entry("a", "1"), entry("b", "2")]),
        ),
        ("control characters", &["a=1\u{0},b=2\r\nx: y,c=3\u{7f},d=4"], json!([entry("d", "4")])),
        ("nothing", &[], json!([])),
        ("nothing", &[""], json!([])),
    ] {
        assert_eq!(codec.parse(headers), expected, "{section}: {headers:?}");
    }
}

#[test]
fn serialize_as_the_recommendation_has_it() {
    let mut codec = Codec::start();
    for (section, entries, expected) in [
        ("the contract", json!([{"key": "k", "value": "v", "props": [["p", "1"]]}]), "k=v;p=1"),
        ("props may be left out", json!([{"key": "k", "value": "v"}]), "k=v"),
        ("none", json!([]), ""),
        ("value: empty", json!([entry("a", ""), entry("b", "1")]), "a=,b=1"),
        (
            "value: all that is no octet, and %",
            json!([entry("a", "\t \"';=asdf!@#$%^&*(),\\\r\n\u{7f}\0")]),
            "a=%09%20%22'%3B=asdf!@#$%25^&*()%2C%5C%0D%0A%7F%00",
        ),
        ("value: UTF-8", json!([entry("a", "é€💣")]), "a=%C3%A9%E2%82%AC%F0%9F%92%A3"),
        ("value: what looks encoded", json!([entry("a", "%2C")]), "a=%252C"),
        (
            "property: encoded too, in order, repeated, without a value",
            json!([{"key": "k", "value": "v", "props": [["p", ",x=1;\n%"], ["q", null], ["p", ""]]}]),
            "k=v;p=%2Cx=1%3B%0A%25;q;p=",
        ),
        (
            "baggage-string: without duplicates",
            json!([entry("a", "1"), entry("b", "2"), entry("a", "3")]),
            "b=2,a=3",
        ),
    ] {
        assert_eq!(codec.serialize(&entries), json!({"header": expected}), "{section}: {entries}");
    }
    for (entries, named) in [
        (json!([entry("", "1")]), "``"),
        (json!([entry("a b", "1")]), "`a b`"),
        (json!([entry("a=b", "1")]), "`a=b`"),
        (json!([entry("a,b", "1")]), "`a,b`"),
        (json!([entry("é", "1")]), "`é`"),
        (json!([entry("a\r\nb", "1")]), "a\\r\\nb"),
        (json!([entry("ok", "1"), entry("(", "1")]), "`(`"),
        (json!([{"key": "k", "value": "v", "props": [["p q", null]]}]), "`k`"),
        (json!([{"key": "k", "value": "v", "props": [["", "1"]]}]), "`k`"),
        (json!([{"key": "k"}]), "value"),
        (json!([{"value": "v"}]), "key"),
        (json!([{"key": "k", "value": 1}]), "string"),
        (json!({}), ""),
    ] {
        let answer = codec.serialize(&entries);
        let error = answer["error"].as_str();
        assert!(error.is_some_and(|error| error.contains(named)), "{entries}: {answer}");
    }
}

#[test]
fn forward_changes_nothing_it_must_not() {
    let mut codec = Codec::start();
    for (section, headers, expected) in [
        ("as it came", &["k=v;p=1"][..], &["k=v;p=1"][..]),
        (
            "as it came",
            &[" a = %c3%a9 ; p = %2Cadmin=true;q , b=%FF"],
            &[" a = %c3%a9 ; p = %2Cadmin=true;q , b=%FF"],
        ),
        ("several are combined", &["a=1;p=%0A", "b=2"], &["a=1;p=%0A,b=2"]),
        ("order of duplicates", &["a=1", "b=2", "a=3"], &["a=1,b=2,a=3"]),
        ("malformed ones alone", &["a=1;p=%2C,b,c=\"3\"", "d=4"], &["a=1;p=%2C,d=4"]),
        ("empty members", &["a=1,,b=2,"], &["a=1,b=2"]),
        ("no empty header", &["", "x"], &[]),
        ("nothing", &[], &[]),
    ] {
        assert_eq!(codec.forward(headers), expected, "{section}: {headers:?}");
    }
}

#[test]
fn limits_are_kept_by_whole_members() {
    let mut codec = Codec::start();
    let member = |number: usize, len: usize| {
        let key = format!("k{number:02}=");
        format!("{key}{}", "x".repeat(len - key.len()))
    };
    let joined = |lines: &[String]| lines.join(",");

    // "Limits": 64 list-members and 8,192 bytes at least, counted over all lines
    let members: Vec<_> = (0..70).map(|number| member(number, 6)).collect();
    let lines: Vec<_> = members.iter().map(String::as_str).collect();
    assert_eq!(codec.forward(&lines[..64]).join(","), lines[..64].join(","));
    assert_eq!(codec.forward(&lines).join(","), lines[..64].join(","));
    assert_eq!(codec.parse(&[&lines.join(",")]).as_array().map(Vec::len), Some(64));

    // 64 members of 127 bytes and 63 commas: 8,191 bytes, in lines that nginx takes
    let full: Vec<_> = (0..64).map(|number| member(number, 127)).collect();
    let full = full.join(",");
    let forwarded = codec.forward(&[&full]);
    assert_eq!((full.len(), joined(&forwarded)), (8191, full.clone()));
    assert!(forwarded.len() == 2 && forwarded.iter().all(|line| line.len() <= 8_000));
    // one member may be as long as all of them together
    let longest = member(0, 8192);
    assert_eq!(codec.forward(&[&longest]), [longest]);
    assert!(codec.forward(&[&member(0, 8193)]).is_empty());
    let crowd = [member(1, 5000), member(2, 5000), member(3, 3000)].join(",");
    assert_eq!(
        codec.forward(&[&crowd, "last=1"]).join(","),
        [member(1, 5000), member(3, 3000), "last=1".into()].join(",")
    );

    // encoded, 6,000 bytes of é are 18,000
    let huge = codec.serialize(&json!([entry("a", &"é".repeat(3000)), entry("b", "1")]));
    assert_eq!(huge, json!({"header": "b=1"}));
    let entries: Vec<_> = (0..70).map(|number| entry(&format!("k{number}"), "v")).collect();
    let header = codec.serialize(&json!(entries));
    assert_eq!(header["header"].as_str().unwrap().split(',').count(), 64);
}

#[test]
fn what_is_no_question_is_answered_all_the_same() {
    let mut codec = Codec::start();
    for line in [
        &b""[..],
        b"null",
        b"[]",
        b"{}",
        b"{",
        br#"{"op":"parse"}"#,
        br#"{"op":"parse","headers":"a=1"}"#,
        br#"{"op":"parse","headers":[1]}"#,
        br#"{"op":"decode","headers":[]}"#,
        br#"{"op":1}"#,
        br#"{"op":"parse","headers":["\ud800"]}"#,
        b"\xff\xfe",
    ] {
        let answer = codec.ask_bytes(line);
        assert!(answer["error"].is_string(), "{answer}");
    }
    assert_eq!(codec.parse(&["a=1"]), json!([entry("a", "1")]), "still there");
}

#[test]
fn what_is_serialized_is_parsed_back() {
    let mut codec = Codec::start();
    let entries = json!([
        {"key": "a", "value": " %,;=\"\\\t\r\n\u{0}é💣\u{fffd}", "props": [["p", ",;=%\n"], ["q", null], ["p", ""]]},
        {"key": "!#$%&'*+-.^_`|~", "value": "", "props": []},
    ]);
    let header = codec.serialize(&entries);
    let header = header["header"].as_str().unwrap();
    assert!(header.bytes().all(|byte| byte.is_ascii_graphic()), "{header}");
    assert_eq!(codec.parse(&[header]), entries);
    assert_eq!(codec.forward(&[header]), [header]);
}
