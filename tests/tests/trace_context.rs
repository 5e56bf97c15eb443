//! W3C Trace Context Level 2 over real sockets: the cases of the working group's own suite (w3c/trace-context,
//! `test/test.py` at 6261328, `SPEC_LEVEL` 2, `STRICT_LEVEL` 2) and more, against the binary that such a harness runs
//! against.
//!
//! Both peers of the service are raw TCP here, so that names keep their case and lines their white space.

#![allow(clippy::unwrap_used, reason = "it is a test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

const TRACE: &str = "12345678901234567890123456789012";
const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-00";

type Lines = Vec<(String, String)>;

struct Harness {
    service: Child,
    address: SocketAddr,
    listener: TcpListener,
}

impl Harness {
    fn start() -> Harness {
        let mut service = Command::new(env!("CARGO_BIN_EXE_trace-context-target"))
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(service.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().trim_start_matches("listening on http://");
        let address = address.trim_end_matches("/test").parse().unwrap();
        Harness { service, address, listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    fn post(&self, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let mut head = format!(
            "POST /test HTTP/1.1\r\nHost: harness\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head += &format!("{name}:{value}\r\n");
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        stream
    }

    fn status(&self, headers: &[(&str, &str)], body: &str) -> u16 {
        status(self.post(headers, body))
    }

    /// Asks the service to call back so many times, and says what headers the calls came with.
    fn calls(&self, headers: &[(&str, &str)], count: usize) -> Vec<Lines> {
        let url = format!("http://{}/callback", self.listener.local_addr().unwrap());
        let call = |number| format!(r#"{{"url":"{url}","arguments":[{number},{{"ü":null}}]}}"#);
        let calls: Vec<_> = (0..count).map(call).collect();
        let stream = self.post(headers, &format!("[{}]", calls.join(",")));
        let received = (0..count).map(|number| {
            let (mut stream, _) = self.listener.accept().unwrap();
            let (headers, body) = read_message(&mut BufReader::new(&stream));
            // in order, the arguments as they were
            assert_eq!(body, format!(r#"[{number},{{"ü":null}}]"#));
            let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
            headers
        });
        let received = received.collect();
        assert_eq!(status(stream), 200);
        received
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.service.kill().unwrap();
        self.service.wait().unwrap();
    }
}

fn status(mut stream: TcpStream) -> u16 {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn read_message(stream: &mut impl BufRead) -> (Lines, String) {
    let (mut headers, mut line) = (Lines::new(), String::new());
    stream.read_line(&mut line).unwrap();
    assert_eq!(line, "POST /callback HTTP/1.1\r\n");
    loop {
        line.clear();
        stream.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end_matches("\r\n").split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let length: usize = all(&headers, "content-length")[0].parse().unwrap();
    assert_eq!(all(&headers, "content-type"), ["application/json"]);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (headers, String::from_utf8(body).unwrap())
}

/// The values with exactly this name: it "SHOULD" be sent in lower case (3.2.1, 3.3.1).
fn all<'a>(lines: &'a Lines, name: &str) -> Vec<&'a str> {
    let any_case = lines.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count();
    let values: Vec<_> =
        lines.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
    assert_eq!(values.len(), any_case, "{name} in another case: {lines:?}");
    values
}

/// The one `traceparent` of a call, which must be valid: trace id, parent id, flags.
fn trace_parent(lines: &Lines) -> (String, String, String) {
    let values = all(lines, "traceparent");
    let [value] = values[..] else { panic!("not one traceparent: {lines:?}") };
    let fields: Vec<_> = value.split('-').collect();
    let lens: Vec<_> = fields.iter().map(|field| field.len()).collect();
    assert_eq!((fields[0], &lens[..]), ("00", &[2, 32, 16, 2][..]), "{value}");
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    assert!(value.bytes().all(hex), "{value}");
    assert!(fields[1..3].iter().all(|id| id.bytes().any(|byte| byte != b'0')), "{value}");
    (fields[1].to_owned(), fields[2].to_owned(), fields[3].to_owned())
}

/// Whose trace a call must belong to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trace {
    Same,
    New,
}
use Trace::{New, Same};

/// Test of the suite, section of the recommendation, what is received, and what is to be sent: whose trace, and the
/// members of `tracestate`.
type Row<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, Trace, &'a str);

fn check(harness: &Harness, (test, section, headers, trace, state): Row<'_>) {
    let sent = &harness.calls(&headers, 1)[0];
    let context = format!("{test} ({section}): {headers:?} became {sent:?}");
    let (trace_id, parent_id, flags) = trace_parent(sent);
    match trace {
        // 3.4 Mutating the traceparent Field: parent-id is the current operation's
        Same => assert!(trace_id == TRACE && parent_id != "1234567890123456", "{context}"),
        New => {
            let received = headers.iter().any(|(_, value)| value.contains(&trace_id));
            // 3.4 Restart trace: all is generated anew; 3.2.2.5.2: and is random
            assert!(!received && flags == "03", "{context}");
        }
    }
    let states = all(sent, "tracestate");
    // 3.3.2: one field, and none rather than an empty one
    assert!(states.len() == usize::from(!state.is_empty()), "{context}");
    let members: Vec<_> = states.iter().flat_map(|line| line.split(',')).collect();
    let trim = |member: &str| member.trim_start().trim_end_matches([' ', '\t']).to_owned();
    let members: Vec<_> = members.into_iter().map(trim).collect();
    assert_eq!(members.join(","), state, "{context}");
}

#[test]
fn trace_parent_as_the_recommendation_has_it() {
    let harness = Harness::start();
    let future = "cc-12345678901234567890123456789012-1234567890123456-01";
    let future_more = format!("{future}-what-the-future-will-be-like");
    let future_dot = format!("{future}.what-the-future-will-be-like");
    let (more, dot) = (format!("{PARENT}-what-the-future-will-be-like"), format!("{PARENT}."));
    let (spaced, tabbed) = (format!(" {PARENT}"), format!("\t{PARENT}"));
    let (space_behind, tab_behind) = (format!("{PARENT} "), format!("{PARENT}\t"));
    let around = format!("\t {PARENT} \t");
    let upper = PARENT.replace("1234567890123456-", "123456789012345A-");
    let state = ("tracestate", "foo=1,bar=2");
    let one = |value| vec![("traceparent", value), state];
    let kept = "foo=1,bar=2";
    let rows: Vec<Row<'_>> = vec![
        ("both_traceparent_and_tracestate_missing", "3.4", vec![], New, ""),
        ("traceparent_included_tracestate_missing", "3.4", vec![("traceparent", PARENT)], Same, ""),
        (
            "traceparent_duplicated",
            "3.2",
            vec![
                ("traceparent", "00-12345678901234567890123456789011-1234567890123456-01"),
                ("traceparent", PARENT),
                state,
            ],
            New,
            "",
        ),
        ("the same twice", "3.2", vec![("traceparent", PARENT), ("TraceParent", PARENT)], New, ""),
        ("traceparent_header_name", "3.2.1", vec![("trace-parent", PARENT), state], New, ""),
        ("traceparent_header_name", "3.2.1", vec![("trace.parent", PARENT), state], New, ""),
        (
            "traceparent_header_name_valid_casing",
            "3.2.1",
            vec![("TraceParent", PARENT), state],
            Same,
            kept,
        ),
        ("..", "3.2.1", vec![("TrAcEpArEnT", PARENT), state], Same, kept),
        ("..", "3.2.1", vec![("TRACEPARENT", PARENT), state], Same, kept),
        ("traceparent_version_0x00", "3.2.2.2", one(&dot), New, ""),
        ("traceparent_version_0x00", "3.2.2.2", one(&more), New, ""),
        ("traceparent_version_0xcc", "3.2.4", one(future), Same, kept),
        ("traceparent_version_0xcc", "3.2.4", one(&future_more), Same, kept),
        ("traceparent_version_0xcc", "3.2.4", one(&future_dot), New, ""),
        ("shorter than 55 characters", "3.2.4", one(&future[..54]), New, ""),
        (
            "traceparent_version_0xff",
            "3.2.2.1",
            one("ff-12345678901234567890123456789012-1234567890123456-01"),
            New,
            "",
        ),
        (
            "traceparent_version_illegal_characters",
            "3.2.2.1",
            one(".0-12345678901234567890123456789012-1234567890123456-01"),
            New,
            "",
        ),
        ("..", "3.2.2.1", one("0.-12345678901234567890123456789012-1234567890123456-01"), New, ""),
        ("..", "3.2.2.1", one("CC-12345678901234567890123456789012-1234567890123456-01"), New, ""),
        (
            "traceparent_version_too_long",
            "3.2.2.1",
            one("000-12345678901234567890123456789012-1234567890123456-01"),
            New,
            "",
        ),
        (
            "..",
            "3.2.2.1",
            one("0000-12345678901234567890123456789012-1234567890123456-01"),
            New,
            "",
        ),
        (
            "traceparent_version_too_short",
            "3.2.2.1",
            one("0-12345678901234567890123456789012-1234567890123456-01"),
            New,
            "",
        ),
        (
            "traceparent_trace_id_all_zero",
            "3.2.2.3",
            one("00-00000000000000000000000000000000-1234567890123456-01"),
            New,
            "",
        ),
        (
            "traceparent_trace_id_illegal_characters",
            "3.2.2.3",
            one("00-.2345678901234567890123456789012-1234567890123456-01"),
            New,
            "",
        ),
        ("..", "3.2.2.3", one("00-1234567890123456789012345678901.-1234567890123456-01"), New, ""),
        ("..", "3.2.2.3", one("00-1234567890123456789012345678901A-1234567890123456-01"), New, ""),
        (
            "traceparent_trace_id_too_long",
            "3.2.2.3",
            one("00-123456789012345678901234567890123-1234567890123456-01"),
            New,
            "",
        ),
        (
            "traceparent_trace_id_too_short",
            "3.2.2.3",
            one("00-1234567890123456789012345678901-1234567890123456-01"),
            New,
            "",
        ),
        (
            "traceparent_parent_id_all_zero",
            "3.2.2.4",
            one("00-12345678901234567890123456789012-0000000000000000-01"),
            New,
            "",
        ),
        (
            "traceparent_parent_id_illegal_characters",
            "3.2.2.4",
            one("00-12345678901234567890123456789012-.234567890123456-01"),
            New,
            "",
        ),
        ("..", "3.2.2.4", one("00-12345678901234567890123456789012-123456789012345.-01"), New, ""),
        ("..", "3.2.2.4", one(&upper), New, ""),
        (
            "traceparent_parent_id_too_long",
            "3.2.2.4",
            one("00-12345678901234567890123456789012-12345678901234567-01"),
            New,
            "",
        ),
        (
            "traceparent_parent_id_too_short",
            "3.2.2.4",
            one("00-12345678901234567890123456789012-123456789012345-01"),
            New,
            "",
        ),
        (
            "traceparent_trace_flags_illegal_characters",
            "3.2.2.5",
            one("00-12345678901234567890123456789012-1234567890123456-.0"),
            New,
            "",
        ),
        ("..", "3.2.2.5", one("00-12345678901234567890123456789012-1234567890123456-0."), New, ""),
        (
            "traceparent_trace_flags_too_long",
            "3.2.2.5",
            one("00-12345678901234567890123456789012-1234567890123456-001"),
            New,
            "",
        ),
        (
            "traceparent_trace_flags_too_short",
            "3.2.2.5",
            one("00-12345678901234567890123456789012-1234567890123456-1"),
            New,
            "",
        ),
        ("traceparent_ows_handling", "RFC 9110, 5.5", one(&spaced), Same, kept),
        ("traceparent_ows_handling", "RFC 9110, 5.5", one(&tabbed), Same, kept),
        ("traceparent_ows_handling", "RFC 9110, 5.5", one(&space_behind), Same, kept),
        ("traceparent_ows_handling", "RFC 9110, 5.5", one(&tab_behind), Same, kept),
        ("traceparent_ows_handling", "RFC 9110, 5.5", one(&around), Same, kept),
        ("empty", "3.2.2", one(""), New, ""),
        (
            "US-ASCII",
            "3.2.2.1",
            one("00-1234567890123456789012345678901é-123456789012345-01"),
            New,
            "",
        ),
    ];
    for row in rows {
        check(&harness, row);
    }
}

#[test]
fn trace_state_as_the_recommendation_has_it() {
    let harness = Harness::start();
    let parent = ("traceparent", PARENT);
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@a-z0-9_-*/@";
    let value: String = (' '..='~').filter(|char| !",=".contains(*char)).collect();
    let (all_allowed, only_spaces) = (format!("{key}={value}"), format!("foo={}", " ".repeat(9)));
    let all_but_at = format!("{}={value}", key.replace('@', ""));
    let longest = |key: usize, value| format!("{}={}", "z".repeat(key), "v".repeat(value));
    let (key_256, key_257, value_257) = (longest(256, 1), longest(257, 1), longest(1, 257));
    let (both_256, value_256) = (longest(256, 256), longest(1, 256));
    let after_foo = |member: &str| format!("foo=1,{member}");
    let key_256_after_foo = after_foo(&key_256);
    // of no length in particular, as @ is a character like any other
    let tenant_241 = format!("{}@{}=1", "t".repeat(241), "v".repeat(14));
    let tenant_242 = format!("{}@v=1", "t".repeat(242));
    let vendor_15 = format!("t@{}=1", "v".repeat(15));
    let tenants = [&tenant_241, &tenant_242, &vendor_15].map(|member| after_foo(member));
    let numbered = |from: usize, to: usize| {
        (from..=to)
            .map(|number| format!("bar{number:02}={number:02}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let (first, second, third) = (numbered(1, 10), numbered(11, 20), numbered(21, 30));
    let (last, last_but_too_many) = (numbered(31, 32), numbered(31, 33));
    let all_32 = numbered(1, 32);
    let member = |key: &str, len: usize| format!("{key}={}", "x".repeat(len - key.len() - 1));
    let over =
        [member("a", 100), member("b", 129), member("c", 100), member("d", 100), member("e", 100)];
    let over_kept = [&over[0], &over[2], &over[3], &over[4]].map(String::as_str).join(",");
    let over = over.join(",");
    let short = [100, 100, 100, 100, 100, 100].map(|len| member(&format!("k{len}"), len));
    let short: Vec<_> = short
        .iter()
        .enumerate()
        .map(|(number, member)| format!("{number}{}", &member[1..]))
        .collect();
    let (short_kept, short) = (short[..5].join(","), short.join(","));
    let one = |value| vec![parent, ("tracestate", value)];
    let two = |one, two| vec![parent, ("tracestate", one), ("tracestate", two)];
    let rows: Vec<Row<'_>> = vec![
        ("tracestate_included_traceparent_missing", "3.3", vec![("tracestate", "foo=1")], New, ""),
        (
            "tracestate_included_traceparent_missing",
            "3.3",
            vec![("tracestate", "foo=1,bar=2")],
            New,
            "",
        ),
        (
            "tracestate_included_traceparent_included",
            "3.5",
            one("foo=1,bar=2"),
            Same,
            "foo=1,bar=2",
        ),
        ("tracestate_header_name", "3.3.1", vec![parent, ("trace-state", "foo=1")], Same, ""),
        ("tracestate_header_name", "3.3.1", vec![parent, ("trace.state", "foo=1")], Same, ""),
        (
            "tracestate_header_name_valid_casing",
            "3.3.1",
            vec![parent, ("TraceState", "foo=1")],
            Same,
            "foo=1",
        ),
        ("..", "3.3.1", vec![parent, ("TrAcEsTaTe", "foo=1")], Same, "foo=1"),
        ("..", "3.3.1", vec![parent, ("TRACESTATE", "foo=1")], Same, "foo=1"),
        ("tracestate_empty_header", "3.3.2", one(""), Same, ""),
        ("tracestate_empty_header", "3.3.2", two("foo=1", ""), Same, "foo=1"),
        ("tracestate_empty_header", "3.3.2", two("", "foo=1"), Same, "foo=1"),
        ("empty and white-space members", "3.3.2", one(" , ,\t,"), Same, ""),
        ("empty and white-space members", "3.3.2", one("foo=1,, ,bar=2,"), Same, "foo=1,bar=2"),
        (
            "tracestate_multiple_headers_different_keys",
            "3.3.2",
            vec![
                ("tracestate", "foo=1,bar=2"),
                parent,
                ("TraceState", "rojo=1,congo=2"),
                ("tracestate", "baz=3"),
            ],
            Same,
            "foo=1,bar=2,rojo=1,congo=2,baz=3",
        ),
        // 3.3.3: one entry for each key, the most recent first; 3.5: others may be discarded, the list may not
        ("tracestate_duplicated_keys", "3.5", one("foo=1,foo=1"), Same, "foo=1"),
        ("tracestate_duplicated_keys", "3.5", one("foo=1,foo=2"), Same, "foo=1"),
        ("tracestate_duplicated_keys", "3.5", two("foo=1", "foo=1"), Same, "foo=1"),
        ("tracestate_duplicated_keys", "3.5", two("foo=1", "foo=2"), Same, "foo=1"),
        ("others keep their order", "3.5", two("c=2,r=1,c=1", "b=1,r=2"), Same, "c=2,r=1,b=1"),
        ("tracestate_all_allowed_characters", "3.3.2.2", one(&all_but_at), Same, &all_but_at),
        ("tracestate_all_allowed_characters", "3.3.2.2", one(&all_allowed), Same, &all_allowed),
        (
            "tracestate_ows_handling",
            "3.3.2",
            one("foo=1 \t , \t bar=2, \t baz=3"),
            Same,
            "foo=1,bar=2,baz=3",
        ),
        (
            "tracestate_ows_handling",
            "3.3.2",
            one("foo=1\t \t,\t \tbar=2,\t \tbaz=3"),
            Same,
            "foo=1,bar=2,baz=3",
        ),
        ("tracestate_ows_handling", "3.3.2", one(" foo=1"), Same, "foo=1"),
        ("tracestate_ows_handling", "3.3.2", one("\tfoo=1"), Same, "foo=1"),
        ("tracestate_ows_handling", "3.3.2", one("foo=1 "), Same, "foo=1"),
        ("tracestate_ows_handling", "3.3.2", one("foo=1\t"), Same, "foo=1"),
        ("tracestate_ows_handling", "3.3.2", one("\t foo=1 \t"), Same, "foo=1"),
        (
            "leading spaces are the value's",
            "3.3.2.2.2",
            one("foo=  1 ,bar= 2"),
            Same,
            "foo=  1,bar= 2",
        ),
        ("tracestate_key_illegal_characters", "3.3.2.2.1", one("foo =1"), Same, ""),
        ("tracestate_key_illegal_characters", "3.3.2.2.1", one("FOO=1"), Same, ""),
        ("tracestate_key_illegal_characters", "3.3.2.2.1", one("foo.bar=1"), Same, ""),
        ("a letter or a digit first", "3.3.2.2.1", one("0foo=1"), Same, "0foo=1"),
        ("a letter or a digit first", "3.3.2.2.1", one("_foo=1,bar=2"), Same, ""),
        ("tracestate_key_illegal_vendor_format", "3.3.2.2.1", one("@foo=1,bar=2"), Same, ""),
        ("@ anywhere else", "3.3.2.2.1", one("foo@=1,bar=2"), Same, "foo@=1,bar=2"),
        ("@ anywhere else", "3.3.2.2.1", one("foo@@bar=1,bar=2"), Same, "foo@@bar=1,bar=2"),
        ("@ anywhere else", "3.3.2.2.1", one("foo@bar@baz=1,bar=2"), Same, "foo@bar@baz=1,bar=2"),
        (
            "tracestate_member_count_limit",
            "3.3.2",
            vec![
                parent,
                ("tracestate", &first),
                ("tracestate", &second),
                ("tracestate", &third),
                ("tracestate", &last),
            ],
            Same,
            &all_32,
        ),
        (
            "tracestate_member_count_limit",
            "3.3.2",
            vec![
                parent,
                ("tracestate", &first),
                ("tracestate", &second),
                ("tracestate", &third),
                ("tracestate", &last_but_too_many),
            ],
            Same,
            "",
        ),
        (
            "tracestate_key_length_limit",
            "3.3.2.2.1",
            two("foo=1", &key_256),
            Same,
            &key_256_after_foo,
        ),
        ("tracestate_key_length_limit", "3.3.2.2.1", two("foo=1", &key_257), Same, ""),
        ("tracestate_key_length_limit", "3.3.2.2.1", two("foo=1", &tenant_241), Same, &tenants[0]),
        ("tracestate_key_length_limit", "3.3.2.2.1", two("foo=1", &tenant_242), Same, &tenants[1]),
        ("tracestate_key_length_limit", "3.3.2.2.1", two("foo=1", &vendor_15), Same, &tenants[2]),
        ("256 characters each", "3.3.2.2", one(&both_256), Same, &both_256),
        ("256 characters", "3.3.2.2.2", one(&value_256), Same, &value_256),
        ("256 characters", "3.3.2.2.2", two("foo=1", &value_257), Same, ""),
        ("tracestate_value_illegal_characters", "3.3.2.2.2", one("foo=bar=baz"), Same, ""),
        ("tracestate_value_illegal_characters", "3.3.2.2.2", one("foo=,bar=3"), Same, ""),
        ("tracestate_value_illegal_characters", "3.3.2.2.2", one(&only_spaces), Same, ""),
        ("tracestate_value_illegal_characters", "3.3.2.2.2", one("foo=a\tb"), Same, ""),
        ("tracestate_value_illegal_characters", "3.3.2.2.2", one("foo=é"), Same, ""),
        ("over 128 characters first", "3.3.3.1", one(&over), Same, &over_kept),
        ("then from the end, whole ones", "3.3.3.1", one(&short), Same, &short_kept),
    ];
    for row in rows {
        check(&harness, row);
    }
}

#[test]
fn flags_are_kept_or_cleared() {
    let harness = Harness::start();
    for (section, version, received, sent) in [
        ("3.2.2.5.1 Sampled flag", "00", "01", "01"),
        ("3.2.2.5.1 Sampled flag", "00", "00", "00"),
        ("3.2.2.5.2 Random Trace ID Flag: set stays set", "00", "02", "02"),
        ("3.2.2.5.2 Random Trace ID Flag: set stays set", "00", "03", "03"),
        ("3.2.2.5.2 Random Trace ID Flag: unset stays unset", "00", "01", "01"),
        ("3.2.2.5.3 Other Flags: zero", "00", "ff", "03"),
        ("3.2.2.5.3 Other Flags: zero", "00", "fc", "00"),
        ("3.2.4 Versioning: flags of a later version", "cc", "ff", "03"),
    ] {
        let received = format!("{version}-{TRACE}-1234567890123456-{received}");
        let calls = harness.calls(&[("traceparent", &received)], 1);
        let (trace_id, _, flags) = trace_parent(&calls[0]);
        assert_eq!((trace_id.as_str(), flags.as_str()), (TRACE, sent), "{section}: {received}");
    }
}

#[test]
fn each_call_has_a_span_of_its_own_in_one_trace() {
    let harness = Harness::start();
    let illegal = "00-00000000000000000000000000000000-1234567890123456-01";
    for (test, headers) in [
        ("multiple_requests_with_valid_traceparent", vec![("traceparent", PARENT)]),
        ("multiple_requests_without_traceparent", vec![]),
        ("multiple_requests_with_illegal_traceparent", vec![("traceparent", illegal)]),
    ] {
        let calls: Vec<_> = harness.calls(&headers, 3).iter().map(trace_parent).collect();
        let mut spans: Vec<_> = calls.iter().map(|(_, span, _)| span).collect();
        spans.sort();
        spans.dedup();
        assert_eq!(spans.len(), 3, "{test}");
        assert!(calls.iter().all(|(trace, ..)| *trace == calls[0].0), "{test}");
        let continued = calls[0].0 == TRACE;
        assert_eq!(continued, test == "multiple_requests_with_valid_traceparent", "{test}");
        assert_ne!(calls[0].0, "0".repeat(32), "{test}");
    }
}

#[test]
fn bad_bodies_and_dead_ends_do_no_harm() {
    let mut harness = Harness::start();
    for body in [
        "",
        "null",
        "{}",
        "[",
        "[1]",
        "[{}]",
        r#"{"url":"http://127.0.0.1:1/","arguments":[]}"#,
        r#"[{"url":1,"arguments":[]}]"#,
        "\u{1f4a3}",
    ] {
        assert_eq!(harness.status(&[], body), 400, "{body}");
    }
    // nobody listens on port 1
    for url in ["http://127.0.0.1:1/gone", "not a URL", "", "ftp://127.0.0.1/", "http://[::1"] {
        let body = format!(r#"[{{"url":"{url}","arguments":null}},{{"url":"{url}"}}]"#);
        assert_eq!(harness.status(&[], &body), 200, "{url}");
    }
    assert_eq!(harness.status(&[], "[]"), 200);
    assert_eq!(harness.calls(&[], 1).len(), 1, "still there");

    harness.service.kill().unwrap();
    let mut log = String::new();
    harness.service.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(log.matches("POST http://127.0.0.1:1/gone").count(), 2, "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
