//! Hostile `Location` values: where they lead is what the URL parser says, and trust goes by that.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::net::{Ipv6Addr, TcpListener};

use common::{Server, port_of, redirect, status};
use ctxprop::wire::Incoming;
use ctxprop::{Background, Ctx};
use ctxprop_reqwest::Error;

fn caller() -> Ctx {
    let mut headers = http::HeaderMap::new();
    headers.insert("baggage", "tenant=acme".parse().expect("a header"));
    Ctx::background().with_incoming(Incoming::from_headers(&headers)).0
}

/// A peer that redirects from `/` to `location`, with `PORT` in it replaced.
async fn peer(location: &'static str) -> Server {
    Server::start(move |seen| async move {
        match seen.uri.path() {
            "/" => redirect(302, location.replace("PORT", &port_of(&seen))),
            _ => status(200),
        }
    })
    .await
}

#[tokio::test]
async fn strangers_in_disguise_get_no_baggage() {
    for location in [
        "http://evil.example:PORT/x",
        "HTTP://EVIL.EXAMPLE:PORT/x",
        "http://Evil.Example.:PORT/x",
        "//evil.example:PORT/x",
        "/\\evil.example:PORT/x",
        "\\\\evil.example:PORT/x",
        "http:\\\\evil.example:PORT\\x",
        "http:/\\/evil.example:PORT/x",
        "http:///evil.example:PORT/x",
        "http://localhost.evil.example:PORT/x",
        "http://10.0.0.1.evil.example:PORT/x",
        "http://internal@evil.example:PORT/x",
        "http://payments.:PORT/x",
        "http://0.0.0.0:PORT/x",
        "http://0:PORT/x",
        " \t//evil.example:PORT/x",
        "http://localhost@evil.example:PORT/x",
        "http://localhost:80@evil.example:PORT/x",
        "http://127.0.0.1:PORT%2F@evil.example:PORT/x",
        "http://db.internal%40@evil.example:PORT/x",
        "http://evil.example:PORT\\@localhost/x",
        "http://evil.example:PORT/x?@localhost",
        "http://evil.example:PORT/x#@localhost",
        "http://evil.example:PORT/x/../..//localhost/",
        "http://evil.example.local.attacker.com:PORT/x",
        "http://ev%69l.ex%61mple:PORT/x",
        "http://evil\u{3002}example:PORT/x",
        "http://evil\u{ff0e}ex\u{ff41}mple:PORT/x",
        "http://b\u{fc}cher.example:PORT/x",
        "http://e\tvil.exa\tmple:PORT/x",
    ] {
        let mut server = peer(location).await;
        let client = server.client().build().unwrap();
        let answer = client.get(server.url("/")).send().with(&caller()).await;
        assert_eq!(answer.expect(location).status(), 200, "{location}");
        let (first, second) = (server.next().await, server.next().await);
        assert!(first.has("baggage"), "{location}");
        let strangers = ["example", "example.", "com", "payments.", "0.0.0.0"];
        let stranger = strangers.iter().any(|top| second.host().ends_with(top));
        assert!(stranger, "{location}: {}", second.host());
        assert!(!second.has("baggage") && !second.has("referer"), "{location}");
        assert!(second.has("traceparent"), "{location}");
        // A user in it is no credential of ours.
        assert!(!second.has("authorization"), "{location}");
    }
}

#[tokio::test]
async fn peers_in_disguise_are_peers() {
    let mapped = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    for (location, host) in [
        ("http://2130706433:PORT/x", "127.0.0.1"),
        ("http://0x7f000001:PORT/x", "127.0.0.1"),
        ("http://0177.1:PORT/x", "127.0.0.1"),
        ("http://127.1:PORT/x", "127.0.0.1"),
        ("http://127.0.0.1.:PORT/x", "127.0.0.1"),
        ("http://evil.example@payments:PORT/x", "payments"),
        ("http://PAYMENTS:PORT/x", "payments"),
        ("http://db%2einternal:PORT/x", "db.internal"),
        ("/x", "127.0.0.1"),
        ("?/x", "127.0.0.1"),
        ("x", "127.0.0.1"),
        ("http:x", "127.0.0.1"),
        ("http://[::ffff:127.0.0.1]:PORT/x", "[::ffff:7f00:1]"),
    ] {
        if host.starts_with('[') && !mapped {
            continue; // no IPv6 here
        }
        let mut server = Server::start(move |seen| async move {
            match seen.uri.to_string().as_str() {
                "/" => redirect(302, location.replace("PORT", &port_of(&seen))),
                _ => status(200),
            }
        })
        .await;
        let client = server.client().build().unwrap();
        let answer = client.get(server.url("/")).send().with(&caller()).await;
        assert_eq!(answer.expect(location).status(), 200, "{location}");
        let (_, second) = (server.next().await, server.next().await);
        assert_eq!(second.host(), host, "{location}");
        assert!(second.has("baggage"), "{location}");
    }
}

#[tokio::test]
async fn what_leads_nowhere_is_the_response() {
    for location in [
        "http://",
        "http://:80/x",
        "http://a b/x",
        "http://[::1/x",
        "http://exa<mple/",
        "http://h:99999/",
    ] {
        let mut server = peer(location).await;
        let client = server.client().build().unwrap();
        let answer = client.get(server.url("/")).send().with(&caller()).await;
        assert_eq!(answer.expect(location).status(), 302, "{location}");
        assert_eq!(server.all().len(), 1, "{location}");
    }
    for answer in [Vec::new(), b"http://\xff\xfe/".to_vec()] {
        let missing = answer.is_empty();
        let server = Server::start(move |_| {
            let answer = if missing { status(302) } else { redirect(302, &answer) };
            std::future::ready(answer)
        })
        .await;
        let client = server.client().build().unwrap();
        let answer = client.get(server.url("/")).send().with(&caller()).await;
        assert_eq!(answer.unwrap().status(), 302);
    }
}

#[tokio::test]
async fn other_schemes_are_refused() {
    for location in [
        "ftp://evil.example/x",
        "file:///etc/passwd",
        "ws://payments/x",
        "javascript:alert(1)",
        "data:,x",
        "mailto:a@b",
    ] {
        let mut server = peer(location).await;
        let client = server.client().build().unwrap();
        let error = client.get(server.url("/")).send().with(&caller()).await.unwrap_err();
        let scheme = location.split(':').next().unwrap();
        assert!(matches!(error, Error::Redirect(_)), "{location}: {error:?}");
        assert!(error.to_string().contains(&format!("`{scheme}`")), "{error}");
        assert_eq!(server.all().len(), 1);
    }
}

#[tokio::test]
async fn https_only_holds_at_every_hop() {
    let server = peer("/x").await;
    let client = server.client().https_only(true).build().unwrap();
    let sent = client.get(server.url("/")).send().with(&caller()).await;
    assert!(sent.is_err());
    assert_eq!(server.connections(), 0);
}
