//! Who may look, at what, and what the router needs.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/service.rs"]
mod service;

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use ctxprop::{Cancelled, Ctx, propagate};
use ctxprop_live::View;
use http::StatusCode;
use service::Service;
use tokio::net::TcpListener;

#[propagate]
async fn stuck(_ctx: Ctx) -> Result<&'static str, Cancelled> {
    std::future::pending::<()>().await;
    Ok("done")
}

fn app() -> Router {
    Router::new().route("/stuck", get(stuck)).route("/shown", get(stuck))
}

const PATHS: [&str; 6] = [
    "/debug/ctx",
    "/debug/ctx/page.js",
    "/debug/ctx/page.css",
    "/debug/ctx/events",
    "/debug/ctx/recent",
    "/debug/ctx/work/1",
];

/// Served by axum alone, without the addresses of peers.
async fn plain(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn without_the_address_of_the_peer_it_refuses_and_says_what_to_do() {
    let address = plain(ctxprop_live::router()).await;
    for path in PATHS {
        let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains("into_make_service_with_connect_info"), "{text}");
        assert!(text.contains("ctxprop_axum::serve"), "{text}");
    }
}

#[tokio::test]
async fn axum_alone_serves_it_with_connect_info() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = ctxprop_live::router().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let answer = reqwest::get(format!("http://{address}/debug/ctx")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
}

/// An address of this machine that is not loopback's, if it has one: a socket that is bound to no route tells it.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: this only asks which address would be used. TEST-NET-1.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[tokio::test]
async fn it_answers_loopback_only_unless_told_otherwise() {
    let Some(own) = own_address() else {
        eprintln!("skipped: this machine has no address but loopback's");
        return;
    };
    for (view, status) in
        [(View::new(), StatusCode::FORBIDDEN), (View::new().for_everyone(), StatusCode::OK)]
    {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server =
            tokio::spawn(async move { drop(ctxprop_axum::serve(listener, view.router()).await) });
        let answer = reqwest::get(format!("http://{own}:{port}/debug/ctx")).await.unwrap();
        assert_eq!(answer.status(), status);
        if status == StatusCode::FORBIDDEN {
            let text = answer.text().await.unwrap();
            assert!(text.contains(&own.to_string()) && text.contains("ssh -L"), "{text}");
        }
        server.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_through_a_proxy_or_under_another_name_is_refused() {
    let service = Service::start(app()).await;
    for (name, value) in [
        ("x-forwarded-for", "10.0.0.7"),
        ("forwarded", "for=10.0.0.7"),
        ("via", "1.1 a"),
        ("host", "evil.example"),
    ] {
        for path in PATHS {
            let answer =
                service.client.get(service.url(path)).header(name, value).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name} at {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn baggage_is_told_by_key_and_values_where_the_policy_says_so() {
    for (view, tenant) in [
        (View::new(), serde_json::Value::Null),
        (View::new().show_baggage(["tenant", "user"]), serde_json::json!("acme")),
    ] {
        let service = Service::start_with(app(), view).await;
        let request = service.client.get(service.url("/shown"));
        let request = request.header("baggage", "tenant=acme,user=u-7;private,plan=gold");
        let request = tokio::spawn(request.send());
        let work = service.work(|work| work["name"] == "GET /shown" && work["end"].is_null()).await;
        let told = |key: &str| {
            let entries = work["baggage"].as_array().unwrap();
            entries.iter().find(|entry| entry["key"] == key).unwrap()["value"].clone()
        };
        assert_eq!(told("tenant"), tenant);
        assert!(told("user").is_null(), "private is never shown");
        assert!(told("plan").is_null());
        let text = service.snapshot().await.to_string();
        assert!(!text.contains("u-7") && !text.contains("gold"), "{text}");
        request.abort();
        service
            .until(|snapshot| {
                service::works(snapshot).all(|work| work["name"] != "GET /shown").then_some(())
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_switched_on_by_somebody_elses_page() {
    let service = Service::start(app()).await;
    let url = service.url("/debug/ctx/enable");
    let answer = service.client.post(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let answer = service.client.post(&url).header("x-ctxprop", "1").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_given_to_who_accepts_it() {
    let service = Service::start(app()).await;
    let request =
        service.client.get(service.url("/debug/ctx")).header("accept", "application/json");
    let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["version"], ctxprop_live::model::VERSION);
    let gone = service.client.get(service.url("/debug/ctx/work/0")).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
}
