//! Both peers of the service in raw TCP, and what they judge a call by. Which cases there are is not here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

pub(crate) const TRACE: &str = "12345678901234567890123456789012";
pub(crate) const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-00";

pub(crate) type Lines = Vec<(String, String)>;

pub(crate) struct Harness {
    pub(crate) service: Child,
    address: SocketAddr,
    listener: TcpListener,
}

impl Harness {
    pub(crate) fn start() -> Harness {
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

    pub(crate) fn status(&self, headers: &[(&str, &str)], body: &str) -> u16 {
        status(self.post(headers, body))
    }

    /// Asks the service to call back so many times, and says what headers the calls came with.
    pub(crate) fn calls(&self, headers: &[(&str, &str)], count: usize) -> Vec<Lines> {
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
pub(crate) fn trace_parent(lines: &Lines) -> (String, String, String) {
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
pub(crate) enum Trace {
    Same,
    New,
}
use Trace::{New, Same};

/// Test of the suite, section of the recommendation, what is received, and what is to be sent: whose trace, and the
/// members of `tracestate`.
pub(crate) type Row<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, Trace, &'a str);

pub(crate) fn check(harness: &Harness, (test, section, headers, trace, state): Row<'_>) {
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
