//! The three services, each a process, and a real collector: one trace, with the right parents, kinds and statuses. And
//! a service in the middle that nobody here wrote: trace and baggage pass through it.
//!
//! What is needed of `PyPI` is installed into virtual environments below `target/tmp`; where it cannot be had, the tests
//! are skipped and say so. `CTXPROP_PYTHON=required` has them fail.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

mod support {
    pub(crate) mod process;
    pub(crate) mod sink;
    pub(crate) mod venv;
}

use support::process::Process;
use support::sink::{CLIENT, INTERNAL, SERVER, Sink};
use support::venv;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A service that exports to `sink`, and where it is.
fn service(sink: &Sink, name: &str, next: Option<&str>) -> (Process, String) {
    start(&sink.endpoint(), &mut program(name, next))
}

fn program(name: &str, next: Option<&str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otel"));
    command.args(["serve", name]).args(next);
    command
}

fn start(collector: &str, command: &mut Command) -> (Process, String) {
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
    let mut process = Process::start(command);
    let url = process.line();
    (process, url)
}

/// Places an order as a caller does that is traced, and leaves the connection open.
fn order(gateway: &str, item: &str, headers: &str) -> TcpStream {
    let address = gateway.strip_prefix("http://").unwrap();
    let body = format!("{{\"item\":\"{item}\"}}");
    let request = format!(
        "POST /checkout HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\
         traceparent: 00-{TRACE}-{CALLER}-01\r\ntracestate: rojo=1,congo=2\r\n{headers}\r\n{body}",
        body.len()
    );
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

fn answer(mut socket: TcpStream) -> (u16, String) {
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The ids of the line's innermost request, as the log has them.
fn logged<'a>(line: &'a str, field: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!(" {field}=")).unwrap();
    rest.split([' ', '}']).next().unwrap()
}

#[test]
fn an_order_is_one_trace() {
    let Some(python) = venv::of(&venv::SINK) else { return };
    let mut sink = Sink::start(python);
    let (orders, orders_url) = service(&sink, "orders", None);
    let (auth, auth_url) = service(&sink, "auth", Some(&orders_url));
    let (gateway, gateway_url) = service(&sink, "gateway", Some(&auth_url));
    let (status, body) = answer(order(&gateway_url, "book", ""));
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"user_id\":7"), "{body}");
    let logs = [gateway.stop(), auth.stop(), orders.stop()];

    let spans = sink.spans(7);
    let chain = spans.chain(CALLER);
    let hops: Vec<_> = chain.iter().map(|span| (span.name(), span.kind())).collect();
    assert_eq!(
        hops,
        [
            ("POST /checkout", SERVER),
            ("POST", CLIENT),
            ("POST /authorize", SERVER),
            ("fulfil", INTERNAL),
            ("POST", CLIENT),
            ("POST /orders", SERVER),
            ("pack", INTERNAL),
        ]
    );
    for span in &chain {
        assert_eq!((span.trace_id(), span.trace_state()), (TRACE, "rojo=1,congo=2"), "{span:?}");
        assert!(!span.failed(), "{span:?}");
    }
    for (server, logs) in [chain[0], chain[2], chain[5]].into_iter().zip(&logs) {
        assert_eq!(server.attributes()["http.response.status_code"], "200");
        assert_eq!(server.attributes()["ctxprop.cause"], "finished");
        let log = logs.iter().find(|line| line.contains("a request is over")).unwrap();
        let ids = (logged(log, "trace_id"), logged(log, "span_id"), logged(log, "parent_id"));
        assert_eq!(ids, (server.trace_id(), server.span_id(), server.parent_id()), "{log}");
    }
    let budgets: Vec<u64> = [0, 2, 5]
        .map(|server| chain[server].attributes()["ctxprop.budget_ms"].parse().unwrap())
        .to_vec();
    assert!(budgets.is_sorted_by(|earlier, later| earlier >= later), "{budgets:?}");
    assert!(budgets[0] <= 10_000);
}

/// The deadline is that of the last hop's own: one that all share may be seen first by any of them, whose caller, or
/// callee, then sees it leave.
#[test]
fn a_deadline_is_an_error_in_each_of_them() {
    let Some(python) = venv::of(&venv::SINK) else { return };
    let mut sink = Sink::start(python);
    let (orders, orders_url) = service(&sink, "orders", None);
    let (auth, auth_url) = service(&sink, "auth", Some(&orders_url));
    let (gateway, gateway_url) = service(&sink, "gateway", Some(&auth_url));
    let (status, _) = answer(order(&gateway_url, "piano", ""));
    assert_eq!(status, 502);
    let logs = [gateway.stop(), auth.stop(), orders.stop()];
    assert!(logs[2].iter().any(|line| line.contains("given back")), "{logs:#?}");

    let spans = sink.spans(8);
    let given_back = spans.named("give_back");
    let [gateway, auth, orders] =
        ["POST /checkout", "POST /authorize", "POST /orders"].map(|name| spans.named(name));
    let pack = spans.named("pack");
    for span in &spans.0 {
        assert_eq!((span.trace_id(), span.trace_state()), (TRACE, "rojo=1,congo=2"));
        // `fulfil` has no error: it got an answer.
        let failed = ![given_back, spans.named("fulfil")].contains(&span);
        assert_eq!(span.failed(), failed, "{span:?}");
        assert_eq!(span.attributes().contains_key("error.type"), failed, "{span:?}");
    }
    for span in [orders, pack] {
        assert_eq!(span.attributes()["ctxprop.cause"], "deadline_exceeded", "{span:?}");
    }
    let codes = [gateway, auth, orders].map(|span| span.attributes()["http.response.status_code"]);
    assert_eq!(codes, ["502", "502", "504"]);
    assert_eq!(gateway.parent_id(), CALLER);
    assert_eq!((pack.parent_id(), given_back.parent_id()), (orders.span_id(), orders.span_id()));
}

#[test]
fn the_deadline_of_a_caller_is_an_error_where_it_came_in() {
    let Some(python) = venv::of(&venv::SINK) else { return };
    let mut sink = Sink::start(python);
    // There is nobody behind it, and nobody is asked.
    let (gateway, gateway_url) = service(&sink, "gateway", None);
    let (status, _) = answer(order(&gateway_url, "piano", "x-timeout-ms: 0\r\n"));
    assert_eq!(status, 504);
    gateway.stop();
    let spans = sink.spans(1);
    let refused = spans.named("POST /checkout");
    assert!(refused.failed());
    assert_eq!(refused.attributes()["ctxprop.cause"], "deadline_exceeded");
    assert_eq!(refused.attributes()["ctxprop.budget_ms"], "0");
}

#[test]
fn a_client_that_leaves_is_none() {
    let Some(python) = venv::of(&venv::SINK) else { return };
    let mut sink = Sink::start(python);
    let (mut orders, orders_url) = service(&sink, "orders", None);
    let (mut auth, auth_url) = service(&sink, "auth", Some(&orders_url));
    let (mut gateway, gateway_url) = service(&sink, "gateway", Some(&auth_url));
    let socket = order(&gateway_url, "piano", "");
    orders.says("reserved item=\"piano\"");
    drop(socket);
    for service in [&mut orders, &mut auth, &mut gateway] {
        let line = service.says("a request was cut short");
        assert!(line.contains("the client disconnected"), "{line}");
    }
    for service in [gateway, auth, orders] {
        service.stop();
    }
    let spans = sink.spans(8);
    for span in &spans.0 {
        assert!(!span.failed(), "{span:?}");
        assert_eq!(span.trace_id(), TRACE);
        if span.name() != "give_back" {
            assert_eq!(span.attributes()["ctxprop.cause"], "disconnected", "{span:?}");
        }
    }
}

#[test]
fn a_python_service_in_the_middle_passes_trace_and_baggage_on() {
    let (Some(sink), Some(python)) = (venv::of(&venv::SINK), venv::of(&venv::MIDDLE)) else {
        return;
    };
    let mut sink = Sink::start(sink);
    let (orders, orders_url) = service(&sink, "orders", None);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/middle.py");
    let mut command = Command::new(python);
    let (mut middle, middle_url) =
        start(&sink.endpoint(), command.arg("-u").arg(script).arg(orders_url));
    let (auth, auth_url) = service(&sink, "auth", Some(&middle_url));
    let (gateway, gateway_url) = service(&sink, "gateway", Some(&auth_url));
    let (status, body) = answer(order(&gateway_url, "book", ""));
    assert_eq!(status, 200, "{body}");

    // into it
    let saw: serde_json::Value = serde_json::from_str(&middle.line()).unwrap();
    assert_eq!((&saw["trace_id"], &saw["trace_state"]), (&TRACE.into(), &"rojo=1,congo=2".into()));
    assert_eq!(saw["baggage"], serde_json::json!({ "user.id": "7", "tenant": "acme" }));
    // out of it, and into the last hop
    let receipt: serde_json::Value = serde_json::from_str(&body).unwrap();
    let mut baggage: Vec<(String, String)> =
        serde_json::from_value(receipt["baggage"].clone()).unwrap();
    baggage.sort();
    let baggage: Vec<_> =
        baggage.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(baggage, [("tenant", "acme"), ("user.id", "7"), ("via", "python")]);

    for process in [gateway, auth, middle, orders] {
        process.stop();
    }
    let spans = sink.spans(9);
    let chain = spans.chain(CALLER);
    let hops: Vec<_> = chain.iter().map(|span| (span.name(), span.kind())).collect();
    assert_eq!(
        hops,
        [
            ("POST /checkout", SERVER),
            ("POST", CLIENT),
            ("POST /authorize", SERVER),
            ("fulfil", INTERNAL),
            ("POST", CLIENT),
            // Python's two
            ("POST /orders", SERVER),
            ("POST", CLIENT),
            ("POST /orders", SERVER),
            ("pack", INTERNAL),
        ]
    );
    for span in chain {
        assert_eq!((span.trace_id(), span.trace_state()), (TRACE, "rojo=1,congo=2"), "{span:?}");
    }
}

/// Needs nothing of `PyPI`: the collectors are sockets.
#[test]
fn a_collector_that_is_down_or_hangs_holds_no_order_up_and_what_it_loses_is_told() {
    // The one takes connections and says nothing, the other is not there.
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for collector in [hangs.local_addr().unwrap(), down] {
        let collector = format!("http://{collector}");
        let run = |name, next: Option<&str>| {
            let mut command = program(name, next);
            command.env("OTEL_BSP_SCHEDULE_DELAY", "1").env("OTEL_EXPORTER_OTLP_TIMEOUT", "300");
            start(&collector, &mut command)
        };
        let (orders, orders_url) = run("orders", None);
        let (auth, auth_url) = run("auth", Some(&orders_url));
        let (gateway, gateway_url) = run("gateway", Some(&auth_url));
        for _ in 0..3 {
            let (status, body) = answer(order(&gateway_url, "book", ""));
            assert_eq!(status, 200, "{body}");
        }
        for (service, spans) in [(gateway, 6), (auth, 9), (orders, 6)] {
            let said = service.stop();
            let told = format!("{spans} spans were lost");
            assert!(said.contains(&told), "{said:#?}");
        }
    }
}
