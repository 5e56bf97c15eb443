//! Chains of redirects that need TLS, or a stranger: what a hop is told does not depend on its socket.

use ctxprop::wire::Incoming;
use ctxprop::{Background, Ctx};
use http::HeaderMap;

use super::script::Script;
use super::*;

fn caller() -> Ctx {
    let mut headers = HeaderMap::new();
    headers.insert("baggage", "tenant=acme".parse().unwrap());
    Ctx::background().with_incoming(Incoming::from_headers(&headers)).0
}

/// Which hops of a chain from `/charge` at a peer carry baggage.
async fn carried(first: &str, locations: &[&'static str]) -> Vec<bool> {
    let mut script = Script::always(200, &[]);
    script.lines = Vec::new();
    for location in locations {
        let headers: &'static [_] = Box::leak(Box::new([("location", *location)]));
        script.lines.push((308, headers));
    }
    script.lines.push((200, &[]));
    let request = Request::new(http::Method::GET, first.parse().unwrap());
    script.send(request, 0, &caller()).await.unwrap();
    assert_eq!(script.asked.len(), locations.len() + 1);
    assert!(script.asked.iter().all(|(_, hop)| hop.headers().contains_key("traceparent")));
    script.asked.iter().map(|(_, hop)| hop.headers().contains_key("baggage")).collect()
}

#[tokio::test(start_paused = true)]
async fn from_https_to_http_and_back() {
    let chain = ["https://payments/b", "/c", "http://payments/d", "https://payments/e"];
    assert_eq!(carried("http://payments/a", &chain).await, [true, true, true, false, false]);
    // An upgrade costs nothing.
    assert_eq!(carried("http://payments/a", &["https://payments/a"]).await, [true, true]);
}

#[tokio::test(start_paused = true)]
async fn addresses_in_disguise() {
    for (location, expected) in [
        ("http://[::ffff:10.0.0.1]/", true),
        ("http://[::ffff:a00:1]/", true),
        ("http://[::ffff:8.8.8.8]/", false),
        ("http://[::ffff:169.254.169.254]/", false),
        ("http://169.254.169.254/latest/meta-data/", false),
        ("http://0xa9fea9fe/latest/meta-data/", false),
        ("http://[fe80::1]/", false),
        ("http://[fd12::1]/", true),
        ("http://[2001:db8::1]/", false),
        ("http://100.64.0.1/", false),
        ("http://0.0.0.0/", false),
        ("http://10.1/", true),
        ("http://012.0.0.1/", true),
        ("http://010.0.0.1/", false),
    ] {
        assert_eq!(carried("http://payments/", &[location]).await, [true, expected], "{location}");
    }
}

/// A 504 that blames our budget: whose word counts.
#[tokio::test(start_paused = true)]
async fn a_stranger_who_was_told_no_budget_cannot_say_that_it_ran_out() {
    let second = Duration::from_secs(1);
    for (url, budget, is_ours) in [
        ("http://payments/", None, true),
        ("http://payments/", Some(second), true),
        ("http://shop.example/", Some(second), true),
        ("http://shop.example/", None, false),
        ("http://silent.example/", Some(second), false),
    ] {
        let mut script = Script::always(504, &[("x-deadline-exceeded", "caller")]);
        script.rules.egress.no_budget = vec!["silent.example".parse().unwrap()];
        let root = Ctx::background();
        let ctx = budget.map_or(root.clone(), |budget| root.with_timeout(budget));
        let request = Request::new(http::Method::GET, url.parse().unwrap());
        let result = script.send(request, 0, &ctx).await;
        match result {
            Ok(response) => assert!(!is_ours && response.status() == 504, "{url} {budget:?}"),
            Err(error) => assert!(is_ours && error.is_cancelled(), "{url} {budget:?}: {error:?}"),
        }
    }
}
