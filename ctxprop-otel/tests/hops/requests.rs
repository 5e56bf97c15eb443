//! Requests over HTTP, however they end: the same spans by all ways.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use ctxprop::wire::Formats;
use ctxprop::{Background, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_reqwest::Client;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::common::serve;
use super::row::same_by_all_ways;

#[derive(Clone)]
struct Shop {
    client: Client,
    began: UnboundedSender<()>,
}

type Failure = (StatusCode, String);

#[propagate]
async fn answers(State(shop): State<Shop>, Path(what): Path<String>) -> Result<String, Failure> {
    match what.as_str() {
        "waits" => {
            shop.began.send(()).unwrap();
            std::future::pending::<()>().await;
            Ok(String::new())
        }
        "panics" => panic!("a bug, on purpose"),
        code => match code.split_once(':') {
            Some((_, port)) => {
                let failed = |error: ctxprop_reqwest::Error| (error.http_status(), String::new());
                let next = format!("http://127.0.0.1:{port}/200");
                shop.client.get(next).send().await.map_err(failed)?.text().await.map_err(failed)
            }
            None => Err((code.parse().unwrap(), String::new())),
        },
    }
}

struct Street {
    url: String,
    client: Client,
    began: UnboundedReceiver<()>,
}

impl Street {
    async fn open(layer: CtxLayer) -> Street {
        let client = Client::builder().no_proxy().build().unwrap();
        let (tell, began) = unbounded_channel();
        let shop = Shop { client: client.clone(), began: tell };
        let app = Router::new().route("/{what}", get(ctxprop_axum::handler(answers)));
        let url = serve(app.with_state(shop).layer(layer)).await;
        Street { url, client, began }
    }
}

/// As of a caller, with a `tracestate`.
fn caller() -> Ctx {
    let message = [
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"),
        ("tracestate", "rojo=1,congo=2"),
    ];
    let message = message.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Ctx::background().with_incoming(Formats::new().extract(&message)).0
}

#[tokio::test]
async fn what_a_handler_answers() {
    let street = Street::open(CtxLayer::mesh().default_budget(Duration::from_secs(60))).await;
    for (code, [of_client, of_server]) in
        [("200", [false, false]), ("404", [true, false]), ("500", [true, true])]
    {
        let rows = same_by_all_ways(code, 2, || async {
            let ctx = caller();
            let answer = street.client.get(format!("{}/{code}", street.url)).send().with(&ctx);
            assert_eq!(answer.await.unwrap().status().as_str(), code);
            ctx
        });
        let [client, server] = &rows.await[..] else { panic!("two") };
        assert_eq!([client, server].map(|row| row.is_error()), [of_client, of_server]);
        assert_eq!((client.parent(), server.parent()), ("the context's", "Client GET"));
        assert_eq!((client.state(), server.state()), ("rojo=1,congo=2", "rojo=1,congo=2"));
        server.is("http.route", "/{what}");
        server.is("ctxprop.cause", "finished");
        server.is("ctxprop.budget_ms", "60");
        client.is("http.response.status_code", code);
        assert_eq!(server.events, ["a request is over"], "what `tracing` tells");
    }
}

#[tokio::test]
async fn a_server_that_asks_another_one() {
    let street = Street::open(CtxLayer::mesh()).await;
    let port = street.url.rsplit(':').next().unwrap();
    let rows = same_by_all_ways("a chain", 4, || async {
        let ctx = Ctx::background().child_span();
        let url = format!("{}/asks:{port}", street.url);
        street.client.get(url).send().with(&ctx).await.unwrap();
        ctx
    });
    let parents: Vec<_> = rows.await.iter().map(|row| row.parent().to_owned()).collect();
    let server = "Server GET /{what}";
    assert_eq!(parents, [server, "the context's", "Client GET", "Client GET"]);
}

#[tokio::test]
async fn a_trace_that_begins_with_a_request() {
    let street = Street::open(CtxLayer::mesh()).await;
    let rows = same_by_all_ways("a root", 1, || async {
        let http = ctxprop_reqwest::reqwest::Client::builder().no_proxy().build().unwrap();
        http.get(format!("{}/200", street.url)).send().await.unwrap();
        Ctx::background()
    });
    assert_eq!(rows.await[0].parent(), "the context's", "of no valid id");
}

#[tokio::test]
async fn what_does_not_come_to_its_end() {
    let layer = CtxLayer::mesh().max_budget(Duration::from_millis(30));
    let mut short = Street::open(layer).await;
    let (url, client) = (format!("{}/waits", short.url), short.client.clone());
    let rows = same_by_all_ways("the server's deadline", 2, || {
        let ctx = caller();
        let sent = client.get(&url).send().with(&ctx);
        async {
            assert_eq!(sent.await.unwrap().status(), 504);
            ctx
        }
    });
    let rows = rows.await;
    rows[1].is("ctxprop.cause", "deadline_exceeded");
    assert!(rows.iter().all(|row| row.is_error()), "{rows:#?}");
    while short.began.try_recv().is_ok() {}

    let street = Street::open(CtxLayer::mesh()).await;
    let began = tokio::sync::Mutex::new(street.began);
    let (url, client) = (street.url, street.client);
    let rows = same_by_all_ways("a client that goes", 2, || async {
        let ctx = caller();
        let sent = client.get(format!("{url}/waits")).send().with(&ctx);
        tokio::select! {
            answered = sent => panic!("{answered:?}"),
            _ = async { began.lock().await.recv().await } => {}
        }
        ctx
    });
    let rows = rows.await;
    rows[1].is("ctxprop.cause", "disconnected");
    assert!(!rows.iter().any(|row| row.is_error()), "{rows:#?}");

    let rows = same_by_all_ways("work that is taken back", 2, || async {
        let ctx = caller();
        let (cancelled, canceller) = ctx.with_cancel();
        let sent = client.get(format!("{url}/waits")).send().with(&cancelled);
        let (gone, ()) = tokio::join!(sent, async {
            began.lock().await.recv().await.unwrap();
            canceller.cancel();
        });
        gone.unwrap_err();
        ctx
    });
    rows.await[0].is("ctxprop.cause", "cancelled");

    let rows = same_by_all_ways("a bug", 2, || async {
        let ctx = caller();
        client.get(format!("{url}/panics")).send().with(&ctx).await.unwrap_err();
        ctx
    });
    let rows = rows.await;
    rows[0].is("error.type", "_OTHER");
    rows[1].is("ctxprop.cause", "finished");
    assert_eq!(rows[1].events, ["a request's handler panicked"]);

    let rows = same_by_all_ways("a budget of nothing", 1, || async {
        let http = ctxprop_reqwest::reqwest::Client::builder().no_proxy().build().unwrap();
        let refused = http.get(format!("{url}/200")).header("x-timeout-ms", "0").send().await;
        assert_eq!(refused.unwrap().status(), 504);
        Ctx::background()
    });
    rows.await[0].is("ctxprop.cause", "deadline_exceeded");

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let rows = same_by_all_ways("nobody there", 1, || async {
        let ctx = caller();
        client.get(format!("http://{address}/")).send().with(&ctx).await.unwrap_err();
        ctx
    });
    rows.await[0].is("error.type", "_OTHER");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_client() {
    // It takes the request and says nothing, so it is the client that sees the end.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let rows = same_by_all_ways("a deadline", 1, || async {
        let ctx = caller();
        let late = ctx.with_timeout(Duration::from_secs(2));
        client.get(format!("http://{address}/")).send().with(&late).await.unwrap_err();
        ctx
    });
    let [row] = &rows.await[..] else { panic!("one") };
    row.is("ctxprop.cause", "deadline_exceeded");
    row.is("ctxprop.budget_ms", "2");
    assert!(row.is_error());
}
