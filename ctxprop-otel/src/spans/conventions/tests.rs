//! Fields in, conventions out.

use super::*;

fn begin(hop: Hop, fields: &[(&'static str, &'static str)]) -> (Outcome, String, Vec<String>) {
    let said = fields.iter().map(|(key, value)| KeyValue::new(*key, *value)).collect();
    let Begun { outcome, name, attributes, .. } = Outcome::begin(hop, said, None);
    (outcome, name.unwrap_or_default().into_owned(), show(&attributes))
}

fn show(attributes: &[KeyValue]) -> Vec<String> {
    attributes.iter().map(|it| format!("{}={}", it.key, it.value)).collect()
}

/// What is told of attributes that come one after the other, and the status in the end.
fn told(outcome: &mut Outcome, fields: &[(&'static str, &'static str)]) -> (Vec<String>, bool) {
    let (mut all, mut error) = (Vec::new(), false);
    for (key, value) in fields {
        let mut told = outcome.translate(&KeyValue::new(*key, *value)).unwrap();
        all.extend(show(&told.attributes().collect::<Vec<_>>()));
        error |= told.status.is_some();
    }
    (all, error)
}

const DEADLINE: &str = "the deadline passed";
const GONE: &str = "the client disconnected";

#[test]
fn a_request() {
    let fields = [("method", "GET"), ("route", "/a/{id}"), ("path", "/a/1"), ("x", "1")];
    let (mut outcome, name, attributes) = begin(Hop::Server, &fields);
    assert_eq!(name, "GET /a/{id}");
    assert_eq!(
        attributes,
        [
            "x=1",
            "http.request.method=GET",
            "url.path=/a/1",
            "url.scheme=http",
            "http.route=/a/{id}"
        ]
    );
    let (all, error) = told(&mut outcome, &[("status", "504"), ("cause", DEADLINE)]);
    assert_eq!(
        all,
        ["http.response.status_code=504", "error.type=504", "ctxprop.cause=deadline_exceeded"]
    );
    assert!(error && outcome.translate(&KeyValue::new("other", 1)).is_none());
}

#[test]
fn which_outcomes_are_errors() {
    for (hop, fields, error) in [
        (Hop::Server, &[("status", "200"), ("cause", "the request is over")][..], false),
        (Hop::Server, &[("status", "404")], false),
        (Hop::Client, &[("status", "404")], true),
        (Hop::Server, &[("status", "503"), ("cause", "the process is shutting down")], true),
        (Hop::Server, &[("cause", GONE)], false),
        (Hop::Server, &[("cause", DEADLINE)], true),
        (Hop::Server, &[("status", "200"), ("cause", DEADLINE)], true),
        (Hop::Server, &[("cause", "an error of the application's")], false),
        (Hop::Client, &[("failed", "true")], true),
    ] {
        let (mut outcome, ..) = begin(hop, &[("method", "GET")]);
        assert_eq!(told(&mut outcome, fields).1, error, "{hop:?} {fields:?}");
    }
}

#[test]
fn a_call_of_grpc() {
    let fields =
        [("service", "shop.Orders"), ("method", "Place"), ("host", "orders"), ("budget", "1s")];
    let (mut outcome, name, attributes) = begin(Hop::Client, &fields);
    assert_eq!(name, "shop.Orders/Place");
    let expected =
        ["rpc.system.name=grpc", "rpc.method=shop.Orders/Place", "server.address=orders"];
    assert_eq!(attributes, expected);
    let (all, error) = told(&mut outcome, &[("status", "4")]);
    assert_eq!(all, ["rpc.response.status_code=DEADLINE_EXCEEDED", "error.type=DEADLINE_EXCEEDED"]);
    assert!(error);
    let mut after = outcome.ended(&Cause::DeadlineExceeded).unwrap();
    assert_eq!(show(&after.attributes().collect::<Vec<_>>()), ["ctxprop.cause=deadline_exceeded"]);
    for (hop, code, error) in [
        (Hop::Client, "0", false),
        (Hop::Client, "1", false),
        (Hop::Client, "5", true),
        (Hop::Client, "99", true),
        (Hop::Server, "5", false),
        (Hop::Server, "1", false),
        (Hop::Server, "14", true),
        (Hop::Server, "99", false),
    ] {
        let (mut outcome, ..) = begin(hop, &[("service", "a"), ("method", "b")]);
        assert_eq!(told(&mut outcome, &[("status", code)]).1, error, "{hop:?} {code}");
    }
}

#[test]
fn the_end_of_a_context_is_told_once_and_not_of_what_has_its_answer() {
    let mut function = Outcome::of_function();
    assert!(function.ended(&Cause::Finished).is_none());
    let told = function.ended(&Cause::DeadlineExceeded).unwrap();
    assert_eq!(told.status, Some(Status::error(DEADLINE)));
    assert!(function.ended(&Cause::DeadlineExceeded).is_none());
    assert!(function.translate(&KeyValue::new("status", 500)).is_none(), "a field of the user's");
    let (mut answered, ..) = begin(Hop::Client, &[("method", "GET")]);
    answered.translate(&KeyValue::new("status", 200));
    assert!(answered.ended(&Cause::DeadlineExceeded).is_none());
}
