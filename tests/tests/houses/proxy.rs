//! A gateway that streams both ways.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ctxprop::{Cancelled, Ctx, propagate};
use ctxprop_axum::{CtxLayer, handler};
use ctxprop_reqwest::Client;
use futures::stream::{self, FuturesUnordered, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{mpsc, watch};

use crate::{Tells, serve};

#[derive(Debug, thiserror::Error)]
enum ProxyError {
    #[error("upstream: {0}")]
    Upstream(#[from] ctxprop_reqwest::Error),
    #[error("its answer: {0}")]
    Answer(#[from] reqwest::Error),
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    #[error("draining")]
    Draining,
    #[error("no upstream is up")]
    NoneUp,
}

impl IntoResponse for ProxyError {
    fn into_response(self) -> Response {
        let status = match &self {
            ProxyError::Upstream(error) => error.http_status(),
            ProxyError::Cancelled(cancelled) => cancelled.http_status(),
            ProxyError::Draining => StatusCode::SERVICE_UNAVAILABLE,
            ProxyError::Answer(_) | ProxyError::NoneUp => StatusCode::BAD_GATEWAY,
        };
        (status, self.to_string()).into_response()
    }
}

#[derive(Clone)]
struct Gateway {
    upstreams: Arc<[String]>,
    client: Client,
    draining: watch::Receiver<bool>,
    passed: Arc<AtomicU64>,
}

type Answer = Result<ctxprop_reqwest::Response, ProxyError>;

const HOP_BY_HOP: [HeaderName; 5] =
    [header::CONNECTION, header::TE, header::TRAILER, header::TRANSFER_ENCODING, header::UPGRADE];

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let kept =
        headers.iter().filter(|(name, _)| !HOP_BY_HOP.contains(name) && *name != header::HOST);
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[propagate]
impl Gateway {
    fn new(upstreams: Vec<String>, draining: watch::Receiver<bool>) -> Self {
        let client = Client::new();
        Gateway { upstreams: upstreams.into(), client, draining, passed: Arc::default() }
    }

    /// The first that answers its health check.
    async fn pick(&self) -> Result<String, ProxyError> {
        let mut probes: FuturesUnordered<_> = self
            .upstreams
            .iter()
            .map(|upstream| async move {
                let probe = self.client.get(format!("{upstream}/health")).send();
                let ctx = Ctx::current().with_timeout(Duration::from_secs(1));
                ctx.run(probe).await??.error_for_status()?;
                Ok::<_, ProxyError>(upstream.clone())
            })
            .collect();
        while let Some(probe) = probes.next().await {
            if let Ok(upstream) = probe {
                return Ok(upstream);
            }
        }
        Err(ProxyError::NoneUp)
    }

    /// A request without a body is asked again, thrice at most.
    async fn get(&self, url: &str, headers: &HeaderMap) -> Answer {
        let mut tries = 0;
        loop {
            tries += 1;
            let attempt = self.client.get(url).headers(headers.clone()).send();
            match Ctx::current().with_timeout(Duration::from_secs(5)).run(attempt).await {
                Ok(Ok(response)) if response.status() != StatusCode::SERVICE_UNAVAILABLE => {
                    return Ok(response);
                }
                outcome if tries == 3 => return Ok(outcome??),
                _ => tokio::time::sleep(Duration::from_millis(10 * tries)).await,
            }
        }
    }

    async fn forward(&self, method: Method, url: &str, headers: HeaderMap, body: Body) -> Answer {
        let body = reqwest::Body::wrap_stream(body.into_data_stream());
        Ok(self.client.request(method, url).headers(headers).body(body).send().await?)
    }
}

#[propagate]
async fn proxy(State(gateway): State<Gateway>, request: Request) -> Result<Response, ProxyError> {
    let upstream = gateway.pick().await?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{upstream}{path}");
    let headers = end_to_end(request.headers());
    let mut draining = gateway.draining.clone();
    let answer = tokio::select! {
        answer = async {
            match *request.method() {
                Method::GET => gateway.get(&url, &headers).await,
                _ => gateway.forward(request.method().clone(), &url, headers, request.into_body()).await,
            }
        } => answer?,
        Ok(_) = draining.wait_for(|draining| *draining) => return Err(ProxyError::Draining),
    };
    Ok(respond(gateway, answer).await)
}

#[propagate]
async fn respond(gateway: Gateway, mut answer: ctxprop_reqwest::Response) -> Response {
    let status = answer.status();
    let headers = end_to_end(answer.headers());
    let (send, chunks) = mpsc::channel::<Result<Bytes, ctxprop_reqwest::Error>>(8);
    Ctx::current().spawn(async move {
        while let Some(chunk) = answer.chunk().await.transpose() {
            let passed = chunk.as_ref().map_or(0, Bytes::len);
            gateway.passed.fetch_add(passed as u64, Ordering::Relaxed);
            if send.send(chunk).await.is_err() {
                break;
            }
        }
    });
    let chunks = stream::unfold(chunks, move |mut chunks| async move {
        chunks.recv().await.map(|chunk| (chunk, chunks))
    });
    (status, headers, Body::from_stream(chunks)).into_response()
}

#[propagate]
async fn passed(State(gateway): State<Gateway>) -> String {
    gateway.passed.load(Ordering::Relaxed).to_string()
}

fn app(gateway: Gateway) -> Router {
    Router::new()
        .route("/-/passed", get(handler(passed)))
        .fallback(handler(proxy))
        .with_state(gateway)
        .layer(CtxLayer::edge().default_budget(Duration::from_secs(60)))
}

/// What the upstream behind the gateway sees.
#[derive(Debug, PartialEq)]
enum Saw {
    Headers(HeaderMap),
    Waiting,
    Gone,
}

fn upstream(tell: UnboundedSender<Saw>) -> Router {
    let (echo, hang, endless) = (tell.clone(), tell.clone(), tell);
    let tries = Arc::new(AtomicU64::new(0));
    Router::new()
        .route("/health", get(|| async {}))
        .route(
            "/echo",
            post(async move |headers: HeaderMap, body: Body| {
                echo.send(Saw::Headers(headers)).unwrap();
                body
            }),
        )
        .route(
            "/flaky",
            get(async move || match tries.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => Err(StatusCode::SERVICE_UNAVAILABLE),
                tries => Ok(tries.to_string()),
            }),
        )
        .route(
            "/hang",
            get(async move || {
                let tells = Tells(hang.clone(), || Saw::Gone);
                hang.send(Saw::Waiting).unwrap();
                std::future::pending::<()>().await;
                drop(tells);
            }),
        )
        .route(
            "/endless",
            get(async move || {
                let first = stream::once(async { Ok::<_, Infallible>("first") });
                let tells = Tells(endless.clone(), || Saw::Gone);
                Body::from_stream(first.chain(stream::pending().map(move |never| {
                    let _ = &tells;
                    never
                })))
            }),
        )
}

struct House {
    gateway: String,
    saw: UnboundedReceiver<Saw>,
    drain: watch::Sender<bool>,
    client: reqwest::Client,
}

async fn house() -> House {
    let (tell, saw) = mpsc::unbounded_channel();
    let (drain, draining) = watch::channel(false);
    let down = "http://127.0.0.1:9".to_owned();
    let gateway = Gateway::new(vec![down, serve(upstream(tell)).await], draining);
    House { gateway: serve(app(gateway)).await, saw, drain, client: reqwest::Client::new() }
}

impl House {
    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.gateway))
    }
}

#[tokio::test]
async fn bodies_stream_both_ways_and_headers_of_one_hop_stay_there() {
    let mut house = house().await;
    let (chunks, body) = mpsc::channel::<Result<Bytes, Infallible>>(1);
    let body = stream::unfold(body, async |mut body| Some((body.recv().await?, body)));
    let request = house.client.post(format!("{}/echo", house.gateway)).header("te", "trailers");
    let request = request.header("x-kept", "yes").body(reqwest::Body::wrap_stream(body));
    chunks.send(Ok("one".into())).await.unwrap();
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "one", "before the second is sent");
    chunks.send(Ok("two".into())).await.unwrap();
    drop(chunks);
    assert_eq!(answer.text().await.unwrap(), "two");
    let Some(Saw::Headers(headers)) = house.saw.recv().await else { panic!("no headers") };
    assert!(headers["x-kept"] == "yes" && !headers.contains_key("te"));
    assert!(headers.contains_key("traceparent") && headers.contains_key("x-timeout-ms"));
    assert_eq!(house.get("/-/passed").send().await.unwrap().text().await.unwrap(), "6");
}

#[tokio::test]
async fn what_has_no_body_is_asked_again() {
    let answer = house().await.get("/flaky").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "2");
}

#[tokio::test]
async fn a_body_that_passes_the_deadline_ends_with_an_error() {
    let mut house = house().await;
    let request = house.get("/endless").header("x-timeout-ms", "30000");
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "first");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(answer.chunk().await.is_err(), "it would pass for the whole");
    assert_eq!(house.saw.recv().await, Some(Saw::Gone));
}

#[tokio::test]
async fn an_upstream_that_hangs_is_left_at_the_deadline_and_with_the_client() {
    let mut house = house().await;
    let client = tokio::spawn(house.get("/hang").send());
    assert_eq!(house.saw.recv().await, Some(Saw::Waiting));
    client.abort();
    assert_eq!(house.saw.recv().await, Some(Saw::Gone));

    let client = tokio::spawn(house.get("/hang").header("x-timeout-ms", "4000").send());
    assert_eq!(house.saw.recv().await, Some(Saw::Waiting));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(4)).await;
    assert_eq!(house.saw.recv().await, Some(Saw::Gone));
    assert_eq!(client.await.unwrap().unwrap().status(), 504);
}

#[tokio::test]
async fn a_gateway_that_drains_leaves_its_upstream() {
    let mut house = house().await;
    let client = tokio::spawn(house.get("/hang").send());
    assert_eq!(house.saw.recv().await, Some(Saw::Waiting));
    house.drain.send(true).unwrap();
    assert_eq!(house.saw.recv().await, Some(Saw::Gone));
    assert_eq!(client.await.unwrap().unwrap().status(), 503);
}
