//! Redirects: each hop has headers of its own, and the rules of trust are asked again.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Server, port_of, redirect, status};
use ctxprop::{Background, Baggage, BaggageError, BaggageMap, BaggageMapBuilder, Ctx};
use ctxprop_reqwest::{Body, Error, Method, redirect::Policy};
use http_body_util::StreamBody;

struct Tenant;

impl Baggage for Tenant {
    fn from_baggage(_: &BaggageMap) -> Result<Self, BaggageError> {
        Ok(Tenant)
    }

    fn to_baggage(&self, out: &mut BaggageMapBuilder) -> Result<(), BaggageError> {
        out.insert("tenant", "acme").map(drop)
    }
}

fn caller() -> Ctx {
    let ctx = Ctx::background().child_span();
    ctx.with_baggage(&Tenant).expect("valid baggage")
}

/// `/a` redirects to `b` on the next host of the chain, and so on; the last answers 200.
async fn chain(hosts: &'static [&'static str]) -> Server {
    Server::start(move |seen| async move {
        let at: usize = seen.uri.path()[1..].parse().expect("a number");
        match hosts.get(at + 1) {
            Some(host) => redirect(307, format!("http://{host}:{}/{}", port_of(&seen), at + 1)),
            None => status(200),
        }
    })
    .await
}

#[tokio::test]
async fn out_of_the_mesh_and_back() {
    let hosts = &["127.0.0.1", "shop.example", "evil.example", "payments", "db.internal"];
    let mut server = chain(hosts).await;
    let client = server.client().build().unwrap();
    let answer = client.get(server.url("/0")).send().with(&caller()).await;
    assert_eq!(answer.unwrap().url().as_str(), server.at("db.internal", "/4"));
    let seen = server.all();
    let baggage: Vec<_> = seen.iter().map(|seen| seen.has("baggage")).collect();
    // It is a stranger who says where to go then, also in the mesh.
    assert_eq!(baggage, [true, false, false, false, false]);
    // A trace of one trace id, and a span a hop.
    let mut spans: Vec<_> = seen.iter().map(|seen| seen.trace()).collect();
    assert!(spans.iter().all(|(trace, _)| *trace == spans[0].0));
    spans.sort();
    spans.dedup();
    assert_eq!(spans.len(), hosts.len());
    // A URL of the mesh is nothing for strangers, nor for who is told by them.
    let port = server.port;
    let referer: Vec<_> = seen.iter().map(|seen| seen.header("referer")).collect();
    let of = |host: &str, path: u8| Some(format!("http://{host}:{port}/{path}"));
    let expected = [None, None, of("shop.example", 1), of("evil.example", 2), of("payments", 3)];
    assert_eq!(referer, expected.iter().map(Option::as_deref).collect::<Vec<_>>());
}

#[tokio::test]
async fn baggage_set_by_hand_goes_by_the_host_too() {
    let mut server = chain(&["payments", "shop.example", "payments"]).await;
    let client = server.client().build().unwrap();
    let request = client.get(server.at("payments", "/0")).header("baggage", "by=hand");
    request.send().with(&caller()).await.unwrap();
    let seen = server.all();
    let baggage: Vec<_> = seen.iter().map(|seen| seen.header("baggage")).collect();
    assert_eq!(baggage, [Some("by=hand"), None, None]);
}

/// What is private, and what is not, of all that a hop was told.
#[tokio::test]
async fn what_is_private_does_not_come_back_from_an_allowed_host() {
    struct Caller;

    impl Baggage for Caller {
        fn from_baggage(_: &BaggageMap) -> Result<Self, BaggageError> {
            Ok(Caller)
        }

        fn to_baggage(&self, out: &mut BaggageMapBuilder) -> Result<(), BaggageError> {
            out.insert("tenant", "acme")?.insert_private("user.id", "7").map(drop)
        }
    }

    let (all, public) = (Some("tenant=acme,user.id=7;private"), Some("tenant=acme"));
    for (hosts, told) in [
        (&["payments", "db.internal", "127.0.0.1"][..], &[all, all, all][..]),
        (&["payments", "users.corp.example", "payments"], &[all, public, public]),
        (&["users.corp.example", "payments"], &[public, public]),
        (&["users.corp.example", "shop.example", "users.corp.example"], &[public, None, None]),
        (&["shop.example", "payments", "shop.example"], &[None, None, None]),
    ] {
        let mut server = chain(hosts).await;
        let client = server.client().allow_baggage_to("*.corp.example").build().unwrap();
        let ctx = Ctx::background().with_baggage(&Caller).unwrap();
        let first = server.at(hosts[0], "/0");
        client.get(first).send().with(&ctx).await.unwrap();
        let seen = server.all();
        let baggage: Vec<_> = seen.iter().map(|seen| seen.header("baggage")).collect();
        assert_eq!(baggage, told, "{hosts:?}");
        assert!(seen.iter().all(|seen| seen.has("traceparent")));
    }
}

/// Every status that leads on, to every kind of host, each on another port.
#[tokio::test]
async fn the_rules_of_trust_hold_for_every_status() {
    let mut there = Server::ok().await;
    let port = there.port;
    // `/307/payments` leads to `payments`.
    let mut here = Server::start(move |seen| async move {
        let path = seen.uri.path()[1..].to_owned();
        let (code, host) = path.split_once('/').expect("a status and a host");
        redirect(code.parse().expect("a status"), format!("http://{host}:{port}/there"))
    })
    .await;
    let client = here.client().allow_baggage_to("*.corp.example").build().unwrap();
    let ctx = caller().with_timeout(Duration::from_secs(60));
    for code in [301, 302, 303, 307, 308] {
        for (host, trusted) in [
            ("127.0.0.1", true),
            ("payments", true),
            ("db.internal", true),
            ("users.corp.example", true),
            ("shop.example", false),
            ("evil.example.local.attacker.com", false),
        ] {
            for method in [Method::GET, Method::POST] {
                let url = here.url(&format!("/{code}/{host}"));
                let request = client.request(method.clone(), url).bearer_auth("secret");
                request.body("hello").send().with(&ctx).await.unwrap();
                let row = format!("{code} {method} {host}");
                let (first, second) = (here.next().await, there.next().await);
                assert_eq!((first.has("baggage"), second.has("baggage")), (true, trusted), "{row}");
                assert_eq!(first.trace().0, second.trace().0, "{row}");
                assert_ne!(first.trace().1, second.trace().1, "{row}");
                assert!(second.millis() <= first.millis(), "{row}");
                assert!(first.has("authorization") && !second.has("authorization"), "{row}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_hop_is_told_what_remains() {
    common::hold_the_clock();
    let mut server = Server::start(|seen| async move {
        tokio::time::advance(Duration::from_millis(100)).await;
        match seen.uri.path() {
            "/" => redirect(302, "/again"),
            "/again" => redirect(302, "/there"),
            _ => status(200),
        }
    })
    .await;
    let client = server.client().build().unwrap();
    let ctx = caller().with_timeout(Duration::from_secs(2));
    client.get(server.url("/")).send().with(&ctx).await.unwrap();
    let own = client.get(server.url("/")).timeout(Duration::from_secs(1));
    own.send().with(&ctx).await.unwrap();
    let told: Vec<_> = server.all().iter().map(|seen| seen.millis()).collect();
    assert_eq!(told, [2_000, 1_900, 1_800, 1_000, 900, 800]);
}

#[tokio::test(start_paused = true)]
async fn a_hop_that_comes_too_late_is_not_sent() {
    common::hold_the_clock();
    let mut server = Server::start(|_| async move {
        // Half a millisecond is left, so that no timer fires.
        tokio::time::advance(Duration::from_micros(999_500)).await;
        redirect(302, "/there")
    })
    .await;
    let client = server.client().build().unwrap();
    let second = Duration::from_secs(1);
    let ctx = caller().with_timeout(second);
    let error = client.get(server.url("/")).send().with(&ctx).await.unwrap_err();
    let cancelled = error.cancelled().expect("the deadline");
    assert!(cancelled.is_deadline() && cancelled.budget() == Some(second));
    assert_eq!(server.all().len(), 1);

    let own = client.get(server.url("/")).timeout(second);
    let error = own.send().with(&caller()).await.unwrap_err();
    assert!(error.is_timeout() && !error.is_cancelled(), "{error}");
    assert_eq!(server.all().len(), 1);
}

#[tokio::test]
async fn methods_and_bodies() {
    for (code, method, next, has_body) in [
        (301, "POST", "GET", false),
        (302, "POST", "GET", false),
        (303, "POST", "GET", false),
        (303, "PUT", "GET", false),
        (303, "HEAD", "HEAD", false),
        (301, "PUT", "PUT", true),
        (302, "PATCH", "PATCH", true),
        (302, "DELETE", "DELETE", true),
        (307, "POST", "POST", true),
        (308, "PUT", "PUT", true),
    ] {
        let mut server = Server::redirecting(code, "/there").await;
        let client = server.client().build().unwrap();
        let request = client
            .request(Method::from_bytes(method.as_bytes()).unwrap(), server.url("/"))
            .header("content-type", "text/plain")
            .header("content-language", "en")
            .header("x-kept", "1")
            .body("hello");
        let answer = request.send().with(&caller()).await.unwrap();
        assert_eq!(answer.status(), 200, "{code} {method}");
        let (first, second) = (server.next().await, server.next().await);
        assert_eq!((first.method.as_str(), first.body.as_str()), (method, "hello"));
        let row = format!("{code} {method}");
        assert_eq!(second.method.as_str(), next, "{row}");
        assert_eq!(second.body == "hello", has_body, "{row}");
        for header in ["content-type", "content-language"] {
            assert_eq!(second.has(header), has_body, "{row} {header}");
        }
        assert_eq!(second.header("content-length"), has_body.then_some("5"), "{row}");
        assert!(second.has("x-kept"));
    }
}

fn stream() -> Body {
    let frames = ["hel", "lo"]
        .map(|part| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(part))));
    Body::wrap(StreamBody::new(futures_util::stream::iter(frames)))
}

#[tokio::test]
async fn a_stream_is_sent_once() {
    for (code, followed) in [(307, false), (308, false), (303, true), (302, true)] {
        let mut server = Server::redirecting(code, "/there").await;
        let client = server.client().build().unwrap();
        let request = client.post(server.url("/")).body(stream());
        assert!(request.try_clone().is_none());
        let answer = request.send().with(&caller()).await.unwrap();
        let expected = if followed { 200 } else { code };
        assert_eq!(answer.status().as_u16(), expected);
        let seen = server.all();
        assert_eq!(seen[0].body, "hello");
        assert_eq!(seen.len(), if followed { 2 } else { 1 });
        assert!(seen.iter().all(|seen| seen.has("traceparent")));
        assert!(
            seen.iter().skip(1).all(|seen| seen.body.is_empty() && !seen.has("transfer-encoding"))
        );
    }
}

#[tokio::test]
async fn secrets_stay_with_the_first_origin() {
    let secrets = ["authorization", "cookie", "cookie2", "proxy-authorization", "www-authenticate"];
    for (hosts, kept) in [
        (&["payments", "payments"][..], &[true, true][..]),
        (&["payments", "db.internal"], &[true, false]),
        // .. and do not come back, neither to a stranger's second page nor to the first origin.
        (&["payments", "shop.example", "shop.example", "payments"], &[true, false, false, false]),
    ] {
        let mut server = chain(hosts).await;
        let client = server.client().build().unwrap();
        let mut request = client.get(server.at(hosts[0], "/0")).header("x-kept", "1");
        for name in secrets {
            request = request.header(name, "secret");
        }
        request.send().with(&caller()).await.unwrap();
        for (seen, kept) in server.all().iter().zip(kept) {
            assert!(secrets.iter().all(|name| seen.has(name) == *kept), "{hosts:?}");
            assert!(seen.has("x-kept"));
        }
    }
}

#[tokio::test]
async fn another_port_is_another_origin() {
    let mut there = Server::ok().await;
    let port = there.port;
    let here =
        Server::start(move |_| async move { redirect(302, format!("http://127.0.0.1:{port}/x")) })
            .await;
    let mut defaults = http::HeaderMap::new();
    defaults.insert("authorization", "secret".parse().unwrap());
    let client = here.client().default_headers(defaults).build().unwrap();
    let request = client.get(here.url("/")).header("host", "virtual.example");
    request.send().with(&caller()).await.unwrap();
    let seen = there.next().await;
    assert!(!seen.has("authorization"));
    assert_eq!(seen.header("host"), Some(&*format!("127.0.0.1:{port}")));
    // It is the host that is a peer, whatever its port.
    assert!(seen.has("baggage") && seen.has("referer"));
}

#[tokio::test]
async fn a_host_set_by_hand_is_kept_for_the_same_origin() {
    let mut server = Server::redirecting(302, "/there").await;
    let client = server.client().build().unwrap();
    let request = client.get(server.url("/")).header("host", "virtual.example:1");
    request.send().with(&caller()).await.unwrap();
    assert!(server.all().iter().all(|seen| seen.host() == "virtual.example"));
}

#[tokio::test]
async fn referer() {
    let mut server = Server::redirecting(302, "/there#end").await;
    let url = server.url("/?q=1#begin").replace("http://", "http://ann:secret@");
    let client = server.client().build().unwrap();
    let answer = client.get(&url).send().with(&caller()).await.unwrap();
    assert_eq!(answer.url().path(), "/there");
    let without = server.client().referer(false).build().unwrap();
    without.get(&url).send().with(&caller()).await.unwrap();
    let told = server.all();
    let told: Vec<_> = told.iter().map(|seen| seen.header("referer")).collect();
    assert_eq!(told, [None, Some(&*server.url("/?q=1")), None, None]);
}

/// However a chain leaves the mesh, no hop outside is told of one inside, nor of what was set by hand.
#[tokio::test]
async fn no_referer_of_the_mesh_leaves_it() {
    for hosts in [
        &["payments", "db.internal", "shop.example"][..],
        &["payments", "db.internal", "users.corp.example", "shop.example"],
        &["payments", "users.corp.example", "users.corp.example", "evil.example"],
        &["payments", "shop.example", "payments", "shop.example"],
        &["shop.example", "payments", "payments", "evil.example", "evil.example"],
    ] {
        let mut server = chain(hosts).await;
        let builder = || server.client().allow_baggage_to("*.corp.example");
        for client in [builder().build().unwrap(), builder().referer(false).build().unwrap()] {
            let request = client.get(server.at(hosts[0], "/0?user=7"));
            let request = request.header("referer", "http://stock/by-hand?user=7");
            request.send().with(&caller()).await.unwrap();
        }
        let seen = server.all();
        assert_eq!(seen.len(), 2 * hosts.len());
        let inside = ["payments", "db.internal", "stock"];
        for hop in seen.iter().filter(|hop| !inside.contains(&hop.host())) {
            let referer = hop.header("referer").unwrap_or_default();
            assert!(inside.iter().all(|host| !referer.contains(host)), "{hosts:?}: {referer}");
            assert!(!referer.contains("user=7"), "{hosts:?}: {referer}");
            let corp = referer.contains("corp.example");
            assert!(!corp || hop.host() == "users.corp.example", "{hosts:?}: {referer}");
        }
    }
}

#[tokio::test]
async fn loops_and_limits() {
    let mut server = Server::redirecting(302, "/").await;
    for (builder, requests) in [
        (server.client(), 11),
        (server.client().redirect(Policy::limited(2)), 3),
        (server.client().redirect(Policy::limited(0)), 1),
    ] {
        let client = builder.build().unwrap();
        let url = server.url("/?secret").replace("http://", "http://ann:secret@");
        let error = client.get(url).send().with(&caller()).await.unwrap_err();
        let Error::Redirect(refused) = &error else { panic!("{error}") };
        assert!(refused.is_too_many() && error.is_redirect());
        assert_eq!(refused.url().as_str(), server.url("/"));
        assert!(!format!("{error} {error:?}").contains("secret"));
        assert_eq!(server.all().len(), requests);
    }
    let none = server.client().redirect(Policy::none()).build().unwrap();
    let answer = none.get(server.url("/")).send().with(&caller()).await.unwrap();
    assert_eq!((answer.status().as_u16(), server.all().len()), (302, 1));
}

#[tokio::test]
async fn policies_of_ones_own() {
    let mut server = Server::redirecting(302, "/there").await;
    let policy = Policy::custom(|attempt| {
        assert_eq!((attempt.status().as_u16(), attempt.url().path()), (302, "/there"));
        assert_eq!(attempt.previous().len(), 1);
        match attempt.previous()[0].query() {
            Some("stop") => attempt.stop(),
            Some("error") => attempt.error("not there"),
            _ => Policy::default().redirect(attempt),
        }
    });
    let client = server.client().redirect(policy).build().unwrap();
    let get = |query| client.get(server.url(query)).send();
    assert_eq!(get("/").with(&caller()).await.unwrap().status(), 200);
    assert_eq!(get("/?stop").with(&caller()).await.unwrap().status(), 302);
    let error = get("/?error").with(&caller()).await.unwrap_err();
    let source = std::error::Error::source(&error).expect("a source");
    assert_eq!(source.to_string(), "not there");
    assert_eq!(server.all().len(), 4);
}
