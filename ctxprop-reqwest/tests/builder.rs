//! What a client can be told, what it refuses, and that nothing gets around it.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use common::Server;
use ctxprop::trust::{HostPatternErrorKind, Mesh};
use ctxprop::wire::Incoming;
use ctxprop::{Background, Ctx};
use ctxprop_reqwest::{BuilderError, Client, ClientBuilder, Error, UrlError};
use http::HeaderMap;
use std::time::Duration;

fn caller() -> Ctx {
    let mut headers = HeaderMap::new();
    headers.insert("baggage", "tenant=acme".parse().expect("a header"));
    Ctx::background().with_incoming(Incoming::from_headers(&headers)).0
}

#[test]
fn what_is_wrong_is_told_when_it_is_built() {
    for builder in [
        Client::builder().allow_baggage_to("*corp.example"),
        Client::builder().omit_trace_to("*corp.example"),
        Client::builder().omit_budget_to("*corp.example").timeout(Duration::ZERO),
    ] {
        // The first that was wrong.
        let error = builder.base_url("no url").build().unwrap_err();
        let Error::Builder(BuilderError::Pattern(error)) = error else { panic!("{error}") };
        assert_eq!(error.pattern(), "*corp.example");
        assert_eq!(error.kind(), HostPatternErrorKind::Wildcard);
    }
    let error = Client::builder().base_url("/v1").build().unwrap_err();
    assert!(matches!(error, Error::Url(UrlError::Relative)));
    let error = Client::builder().user_agent("\n").build().unwrap_err();
    assert!(matches!(error, Error::Reqwest(_)));
}

#[test]
fn what_reqwest_would_apply_at_every_hop_is_refused() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "secret".parse().unwrap());
    let before = reqwest::Client::builder().default_headers(headers.clone());
    let error = ClientBuilder::from(before).build().unwrap_err();
    let expected = BuilderError::DefaultHeader("authorization");
    assert!(matches!(error, Error::Builder(ref it) if *it == expected), "{error}");
    assert!(Client::builder().default_headers(headers).build().is_ok());
    let error = Client::builder().with(|it| it.timeout(Duration::from_secs(1))).build();
    assert!(matches!(error, Err(Error::Builder(BuilderError::Timeout))));
}

#[tokio::test]
async fn redirects_stay_ours_whatever_the_builder_was_told() {
    let mut server = Server::redirecting(302, "http://shop.example:PORT/x").await;
    let address = server.address;
    let before = reqwest::Client::builder()
        .no_proxy()
        .resolve("shop.example", address)
        .redirect(reqwest::redirect::Policy::limited(3));
    let client = ClientBuilder::from(before)
        .with(|it| it.redirect(reqwest::redirect::Policy::limited(4)))
        .build()
        .unwrap();
    client.get(server.url("/")).send().with(&caller()).await.unwrap();
    let seen = server.all();
    let baggage: Vec<_> = seen.iter().map(|seen| seen.has("baggage")).collect();
    assert_eq!(baggage, [true, false]);
}

#[tokio::test]
async fn a_mesh_of_ones_own() {
    let mut server = Server::ok().await;
    let mesh = Mesh::empty().inside("shop.example").unwrap();
    let client = server.client().mesh(mesh).build().unwrap();
    for (host, told) in [("shop.example", true), ("payments", false), ("127.0.0.1", false)] {
        client.get(server.at(host, "/")).send().with(&caller()).await.unwrap();
        assert_eq!(server.next().await.has("baggage"), told, "{host}");
    }
}

#[tokio::test]
async fn all_methods() {
    let mut server = Server::ok().await;
    let client = server.client().base_url(server.url("/")).build().unwrap();
    for request in [
        client.get("/"),
        client.post("/"),
        client.put("/"),
        client.patch("/"),
        client.delete("/"),
        client.head("/"),
    ] {
        assert!(format!("{request:?}").contains("127.0.0.1"));
        request.send().with(&caller()).await.unwrap();
    }
    let seen = server.all();
    let methods: Vec<_> = seen.iter().map(|seen| seen.method.as_str()).collect();
    assert_eq!(methods, ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]);
    // What is wrong with a request is told when it is built or sent, by what was wrong first.
    let wrong = client.get("/").header("no header", "x").header("x", "\n");
    assert!(wrong.try_clone().is_none());
    assert!(matches!(wrong.build(), Err(Error::Reqwest(error)) if error.is_builder()));
    let wrong = client.get("ftp://h/").header("x", "y").body("z");
    let error = wrong.send().with(&caller()).await.unwrap_err();
    assert!(matches!(error, Error::Url(UrlError::Scheme(scheme)) if scheme == "ftp"));
}

#[test]
fn debug_shows_no_secret() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "hunter2".parse().unwrap());
    let builder = Client::builder()
        .base_url("http://ann:hunter2@payments/v1?hunter2")
        .default_headers(headers);
    let mut shown = format!("{builder:?}");
    shown += &format!("{:?}", builder.build().unwrap());
    assert!(!shown.contains("hunter2") && shown.contains("http://payments/v1"), "{shown}");
}

#[cfg(feature = "cookies")]
#[tokio::test]
async fn cookies_go_to_whom_they_belong_at_every_hop() {
    use common::{redirect, status};

    let mut server = Server::start(|seen| async move {
        let port = common::port_of(&seen);
        match seen.uri.path() {
            "/" => {
                let mut response = redirect(302, "/again");
                let cookie = "session=1".parse().expect("a header");
                response.headers_mut().insert("set-cookie", cookie);
                response
            }
            "/again" => redirect(302, format!("http://shop.example:{port}/x")),
            _ => status(200),
        }
    })
    .await;
    let client = server.client().cookie_store(true).build().unwrap();
    client.get(server.url("/")).send().with(&caller()).await.unwrap();
    let seen = server.all();
    let cookies: Vec<_> = seen.iter().map(|seen| seen.header("cookie")).collect();
    assert_eq!(cookies, [None, Some("session=1"), None]);
}
