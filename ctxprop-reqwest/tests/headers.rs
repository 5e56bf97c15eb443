//! What a server is told: trace, budget, baggage, and what became of headers set by hand.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::time::Duration;

use common::Server;
use ctxprop::wire::{Formats, Incoming};
use ctxprop::{Background, Baggage, BaggageError, BaggageMap, BaggageMapBuilder, Ctx, propagate};
use ctxprop_reqwest::{Client, Error};
use http::{HeaderMap, HeaderValue};

/// Baggage of which a part is private.
struct Caller;

impl Baggage for Caller {
    fn from_baggage(_: &BaggageMap) -> Result<Self, BaggageError> {
        Ok(Caller)
    }

    fn to_baggage(&self, out: &mut BaggageMapBuilder) -> Result<(), BaggageError> {
        out.insert("tenant", "acme")?;
        out.insert_private("user.id", "7")?;
        Ok(())
    }
}

fn caller() -> Ctx {
    let ctx = Ctx::background().child_span();
    ctx.with_baggage(&Caller).expect("valid baggage")
}

#[tokio::test]
async fn each_send_is_a_span_of_its_own_in_the_callers_trace() {
    let mut server = Server::ok().await;
    let client = server.client().build().unwrap();
    let ctx = caller();
    let trace = ctx.span().trace_id().to_string();
    let request = client.get(server.url("/"));
    let again = request.try_clone().unwrap();
    request.send().with(&ctx).await.unwrap();
    again.send().with(&ctx).await.unwrap();
    let (first, second) = (server.next().await.trace(), server.next().await.trace());
    assert_eq!((&first.0, &second.0), (&trace, &trace));
    let own = ctx.span().span_id().to_string();
    assert!(first.1 != second.1 && first.1 != own && second.1 != own);
}

#[tokio::test]
async fn a_trace_begins_where_there_is_none() {
    let mut server = Server::redirecting(302, "/there").await;
    let client = server.client().build().unwrap();
    let ctx = Ctx::background();
    client.get(server.url("/")).send().with(&ctx).await.unwrap();
    let (first, second) = (server.next().await.trace(), server.next().await.trace());
    assert_eq!(first.0, second.0);
    assert_ne!(first.1, second.1);
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_what_remains_or_the_requests_own_timeout() {
    common::hold_the_clock();
    let mut server = Server::ok().await;
    let client = server.client().timeout(Duration::from_secs(3));
    let client = client.build().unwrap();
    let get = || client.get(server.url("/"));
    let ctx = caller().with_timeout(Duration::from_secs(5));
    tokio::time::advance(Duration::from_millis(1_250)).await;
    let own = Duration::from_secs(60);
    get().timeout(own).send().with(&ctx).await.unwrap();
    get().send().with(&ctx).await.unwrap();
    let own = Duration::from_millis(250);
    get().timeout(own).send().with(&ctx).await.unwrap();
    get().timeout(own).send().with(&caller()).await.unwrap();
    let seen = server.all();
    let told: Vec<_> = seen.iter().map(|seen| seen.millis()).collect();
    assert_eq!(told, [3_750, 3_000, 250, 250]);
    assert!(seen.iter().all(|seen| seen.has("x-deadline")));
}

#[tokio::test]
async fn without_a_deadline_no_budget_is_told_nor_a_stale_one_passed_on() {
    let mut server = Server::ok().await;
    let client = server.client().build().unwrap();
    let request = client
        .get(server.url("/"))
        .header("x-timeout-ms", "99999")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    request.send().with(&caller()).await.unwrap();
    let seen = server.next().await;
    assert!(!seen.has("x-timeout-ms") && !seen.has("x-deadline"));
    assert_ne!(seen.trace().1, "b7ad6b7169203331");
    assert_eq!(seen.headers.get_all("traceparent").iter().count(), 1);
}

#[tokio::test]
async fn baggage_goes_to_peers_and_to_whom_it_is_allowed() {
    let mut server = Server::ok().await;
    let client = server.client().allow_baggage_to("*.corp.example").build().unwrap();
    let (all, public) = (Some("tenant=acme,user.id=7;private"), Some("tenant=acme"));
    for (host, told) in [
        ("127.0.0.1", all),
        ("localhost", all),
        ("payments", all),
        ("db.internal", all),
        ("users.corp.example", public),
        ("notcorp.example", None),
        ("shop.example", None),
        ("evil.example.local.attacker.com", None),
    ] {
        let request = client.get(server.at(host, "/"));
        request.send().with(&caller()).await.unwrap();
        let seen = server.next().await;
        assert_eq!((seen.host(), seen.header("baggage")), (host, told));
        assert!(seen.has("traceparent"), "{host}");
    }
}

/// A hop in the middle knows no type of its caller's, and keeps what is private all the same.
#[tokio::test]
async fn what_is_private_stays_inside_at_the_second_hop_too() {
    let mut server = Server::ok().await;
    let client = server.client().allow_baggage_to("*.corp.example").build().unwrap();
    client.get(server.at("payments", "/")).send().with(&caller()).await.unwrap();
    let incoming = Incoming::from_headers(&server.next().await.headers);
    let (ctx, _canceller) = Ctx::background().with_incoming(incoming);
    assert!(format!("{ctx:?}").contains(r#""user.id": <private>"#), "{ctx:?}");
    for (host, told) in [
        ("payments", Some("tenant=acme,user.id=7;private")),
        ("users.corp.example", Some("tenant=acme")),
        ("shop.example", None),
    ] {
        client.get(server.at(host, "/")).send().with(&ctx).await.unwrap();
        assert_eq!(server.next().await.header("baggage"), told, "{host}");
    }
}

#[tokio::test]
async fn baggage_set_by_hand_is_for_peers_only() {
    let mut server = Server::ok().await;
    let mut defaults = HeaderMap::new();
    defaults.insert("baggage", HeaderValue::from_static("default=1"));
    let plain = server.client().build().unwrap();
    let with_default = server.client().default_headers(defaults).build().unwrap();
    for (client, by_hand, host, told) in [
        (&plain, Some("hand=1"), "payments", Some("hand=1")),
        (&plain, Some("hand=1"), "shop.example", None),
        (&with_default, None, "payments", Some("default=1")),
        (&with_default, None, "shop.example", None),
        (&with_default, Some("hand=1"), "payments", Some("hand=1")),
        (&with_default, Some("hand=1"), "shop.example", None),
    ] {
        let mut request = client.get(server.at(host, "/"));
        if let Some(by_hand) = by_hand {
            request = request.header("baggage", by_hand);
        }
        request.send().with(&caller()).await.unwrap();
        let seen = server.next().await;
        assert_eq!(seen.header("baggage"), told, "{host} {by_hand:?}");
        assert!(seen.headers.get_all("baggage").iter().count() < 2);
    }
}

#[tokio::test]
async fn trace_and_budget_can_be_left_out_by_host() {
    let mut server = Server::ok().await;
    let client = server
        .client()
        .omit_trace_to("shop.example")
        .omit_budget_to("*.corp.example")
        .build()
        .unwrap();
    let ctx = caller().with_timeout(Duration::from_secs(60));
    for (host, trace, budget) in [
        ("payments", true, true),
        ("shop.example", false, true),
        ("users.corp.example", true, false),
    ] {
        let request = client
            .get(server.at(host, "/"))
            .header("tracestate", "by=hand")
            .header("grpc-timeout", "1S");
        request.send().with(&ctx).await.unwrap();
        let seen = server.next().await;
        let has = (seen.has("traceparent"), seen.has("x-timeout-ms"));
        assert_eq!(has, (trace, budget), "{host}");
        assert!(!seen.has("grpc-timeout"), "{host}: it is not what remains");
        assert!(!seen.has("tracestate"), "{host}: the context has none");
    }
}

#[tokio::test]
async fn formats_say_which_headers() {
    let mut server = Server::ok().await;
    let formats = Formats::new().baggage(false).send_grpc_timeout(true);
    let client = server.client().formats(formats).build().unwrap();
    let ctx = caller().with_timeout(Duration::from_secs(60));
    client.get(server.url("/")).send().with(&ctx).await.unwrap();
    let seen = server.next().await;
    assert!(!seen.has("baggage") && seen.has("grpc-timeout") && seen.has("traceparent"));
    // .. and what is not written is still kept from strangers.
    let request = client.get(server.at("shop.example", "/"));
    let request = request.header("baggage", "by=hand");
    request.send().with(&ctx).await.unwrap();
    assert!(!server.next().await.has("baggage"));
}

#[propagate]
async fn carried(client: &Client, path: &str) -> Result<String, Error> {
    client.get(path).send().await?.text().await
}

#[tokio::test]
async fn a_propagated_function_hands_its_context_on_and_paths_go_to_the_base_url() {
    let mut server = Server::ok().await;
    let client = server.client().base_url(server.url("/v1/?ignored"));
    let client = client.build().unwrap();
    let ctx = caller();
    for (path, asked) in [
        ("/charge", "/v1/charge"),
        ("charge?id=1", "/v1/charge?id=1"),
        ("?page=2", "/v1/?page=2"),
        ("//evil.example/x", "/v1//evil.example/x"),
        ("/\\evil.example/x", "/v1//evil.example/x"),
        ("\\\\evil.example/x", "/v1///evil.example/x"),
        ("@evil.example/x", "/v1/@evil.example/x"),
    ] {
        carried(&client, path).with(&ctx).await.unwrap();
        let seen = server.next().await;
        assert_eq!((seen.uri.to_string().as_str(), seen.host()), (asked, "127.0.0.1"));
        assert_eq!(seen.trace().0, ctx.span().trace_id().to_string());
    }
    let whole = server.at("shop.example", "/x");
    carried(&client, &whole).with(&ctx).await.unwrap();
    assert_eq!(server.next().await.host(), "shop.example");
}

#[tokio::test]
async fn default_headers_give_way_and_users_in_urls_become_authorization() {
    let mut server = Server::ok().await;
    let mut defaults = HeaderMap::new();
    defaults.append("x-many", HeaderValue::from_static("1"));
    defaults.append("x-many", HeaderValue::from_static("2"));
    defaults.insert("x-one", HeaderValue::from_static("default"));
    let client = server.client().default_headers(defaults).user_agent("me");
    let client = client.build().unwrap();
    let url = server.url("/").replace("http://", "http://ann:secret@");
    let request = client.get(url).header("x-one", "own");
    request.send().with(&caller()).await.unwrap();
    let seen = server.next().await;
    assert_eq!(seen.headers.get_all("x-many").iter().count(), 2);
    assert_eq!(seen.header("x-one"), Some("own"));
    assert_eq!(seen.header("user-agent"), Some("me"));
    assert_eq!(seen.header("authorization"), Some("Basic YW5uOnNlY3JldA=="));
}

#[cfg(all(feature = "json", feature = "form", feature = "query", feature = "multipart"))]
#[tokio::test]
async fn reqwests_ways_to_say_what_is_sent() {
    use axum::response::{IntoResponse, Json};

    let mut server = Server::start(|_| async { Json([1, 2]).into_response() }).await;
    let client = server.client().build().unwrap();
    let ctx = caller();
    let post = || client.post(server.url("/"));
    let json = post().query(&[("a", "b c")]).json(&[3]);
    let answer = json.send().with(&ctx).await.unwrap();
    assert_eq!(answer.json::<Vec<u8>>().await.unwrap(), [1, 2]);
    post().form(&[("k", "v")]).send().with(&ctx).await.unwrap();
    let form = ctxprop_reqwest::multipart::Form::new().text("k", "v");
    post().multipart(form).send().with(&ctx).await.unwrap();
    let basic = client.put(server.url("/")).basic_auth("u", Some("p"));
    basic.send().with(&ctx).await.unwrap();
    let built = client.patch(server.url("/")).bearer_auth("t").build();
    client.execute(built.unwrap()).with(&ctx).await.unwrap();

    let seen = server.all();
    assert_eq!((seen[0].uri.query(), seen[0].body.as_str()), (Some("a=b+c"), "[3]"));
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(seen[1].body, "k=v");
    assert!(seen[2].header("content-type").unwrap().starts_with("multipart/form-data"));
    assert_eq!(seen[3].header("authorization"), Some("Basic dTpw"));
    assert_eq!(
        (seen[4].method.as_str(), seen[4].header("authorization")),
        ("PATCH", Some("Bearer t"))
    );
    assert!(seen.iter().all(|seen| seen.has("traceparent")));
}

/// A gateway that forwards a request with its headers, or a user who writes them, grants nobody a budget that no longer
/// holds, and tells nobody who is only allowed what is private.
#[tokio::test]
async fn forwarded_headers_go_by_the_same_rules() {
    let mut server = Server::ok().await;
    let mut defaults = HeaderMap::new();
    let private = HeaderValue::from_static("tenant=acme,user.id=7;PRIVATE=1");
    defaults.insert("baggage", private.clone());
    let builder = || server.client().allow_baggage_to("*.corp.example");
    let plain = builder().build().unwrap();
    let with_defaults = builder().default_headers(defaults).build().unwrap();
    let no_budget = builder().formats(Formats::new().budget(false)).build().unwrap();
    let mut forwarded = HeaderMap::new();
    for (name, value) in [
        ("x-timeout-ms", "1500"),
        ("grpc-timeout", "1500m"),
        ("connect-timeout-ms", "1500"),
        ("x-envoy-expected-rq-timeout-ms", "1500"),
        ("x-trace-id", "0af7651916cd43dd8448eb211c80319c"),
        ("x-kept", "1"),
    ] {
        forwarded.insert(name, HeaderValue::from_static(value));
    }
    let (request, _canceller) = Ctx::background().with_incoming(Incoming::from_headers(&forwarded));
    let job = request.detach("goes on whatever the caller does");
    for (client, by_hand) in [(&plain, true), (&with_defaults, false), (&no_budget, true)] {
        for (host, told) in [
            ("payments", Some("tenant=acme,user.id=7;PRIVATE=1")),
            ("users.corp.example", Some("tenant=acme")),
            ("shop.example", None),
        ] {
            let mut headers = forwarded.clone();
            if by_hand {
                headers.insert("baggage", private.clone());
            }
            let request = client.get(server.at(host, "/")).headers(headers);
            request.send().with(&job).await.unwrap();
            let seen = server.next().await;
            assert_eq!(seen.header("baggage"), told, "{host}");
            assert_eq!(Incoming::from_headers(&seen.headers).budget, None, "{host}");
            assert!(!seen.has("x-trace-id") && seen.has("x-kept") && seen.has("traceparent"));
        }
    }
}
