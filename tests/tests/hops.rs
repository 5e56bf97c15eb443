//! One context through three real services, over HTTP/1 and HTTP/2: budget, trace, baggage and cancellation.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic")]

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use ctxprop::{Background, Baggage, BaggageError, Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_reqwest::{Client, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What a service tells the test.
#[derive(Debug, PartialEq)]
enum Told {
    Arrived {
        hop: usize,
        trace_id: String,
        span_id: String,
        left: Option<Duration>,
        caller: Caller,
    },
    Waiting,
    Unwound {
        hop: usize,
        cause: String,
    },
    Released,
}

#[derive(Baggage, Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Caller {
    #[baggage(key = "user.id", max_len = 20)]
    user_id: u64,
    tenant: Option<String>,
}

#[derive(Debug)]
enum Failure {
    Cancelled(Cancelled),
    Baggage(BaggageError),
    Upstream(ctxprop_reqwest::Error),
}

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Failure::Cancelled(cancelled)
    }
}

impl From<BaggageError> for Failure {
    fn from(error: BaggageError) -> Self {
        Failure::Baggage(error)
    }
}

impl From<ctxprop_reqwest::Error> for Failure {
    fn from(error: ctxprop_reqwest::Error) -> Self {
        match error.cancelled() {
            Some(cancelled) => Failure::Cancelled(cancelled.clone()),
            None => Failure::Upstream(error),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::Cancelled(cancelled) => cancelled.into_response(),
            Failure::Baggage(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
            Failure::Upstream(error) => {
                (StatusCode::BAD_GATEWAY, error.to_string()).into_response()
            }
        }
    }
}

#[derive(Clone)]
struct Hop {
    number: usize,
    next: Option<String>,
    client: Client,
    tell: UnboundedSender<Told>,
}

impl Hop {
    fn tell(&self, told: Told) {
        self.tell.send(told).expect("the test listens");
    }
}

#[propagate]
async fn visit(ctx: Ctx, State(hop): State<Hop>) -> Result<Json<Caller>, Failure> {
    let caller: Caller = ctx.baggage()?;
    hop.tell(Told::Arrived {
        hop: hop.number,
        trace_id: ctx.span().trace_id().to_string(),
        span_id: ctx.span().span_id().to_string(),
        left: ctx.remaining(),
        caller: caller.clone(),
    });
    match work(&hop, caller).await {
        Ok(caller) => Ok(Json(caller)),
        Err(failure) => {
            if hop.next.is_none() {
                ctx.shield(Duration::from_secs(60), release(&hop)).await?;
            }
            if let Failure::Cancelled(cancelled) = &failure {
                hop.tell(Told::Unwound { hop: hop.number, cause: cancelled.to_string() });
            }
            Err(failure)
        }
    }
}

/// Asks the next hop; the last one does what its caller's tenant says.
#[propagate]
async fn work(hop: &Hop, caller: Caller) -> Result<Caller, Failure> {
    match &hop.next {
        Some(next) => {
            let response = hop.client.get(next).send().await?;
            Ok(response.json().await?)
        }
        None if caller.tenant.as_deref() == Some("slow & patient") => {
            hop.tell(Told::Waiting);
            std::future::pending().await
        }
        None => Ok(caller),
    }
}

async fn release(hop: &Hop) {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    hop.tell(Told::Released);
}

#[derive(Clone, Copy)]
enum Http {
    One,
    Two,
}

fn client(http: Http) -> Client {
    let builder = Client::builder().no_proxy();
    match http {
        Http::One => builder.http1_only(),
        Http::Two => builder.http2_prior_knowledge(),
    }
    .build()
    .expect("a client")
}

/// Three services in a row: the address of the first, the root they share, and what they tell.
async fn house(http: Http) -> (String, Ctx, UnboundedReceiver<Told>) {
    let (root, _) = Ctx::background().with_cancel();
    let (tell, told) = unbounded_channel();
    let mut next = None;
    for number in [3, 2, 1] {
        let hop = Hop { number, next: next.take(), client: client(http), tell: tell.clone() };
        let app = Router::new()
            .route("/", get(visit))
            .with_state(hop)
            .layer(CtxLayer::mesh().under(&root));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        next = Some(format!("http://{}/", listener.local_addr().expect("bound")));
        tokio::spawn(async move { axum::serve(listener, app).await });
    }
    (next.expect("the first"), root, told)
}

/// Nothing is left of any request.
async fn quiet(root: &Ctx) {
    while root.live_children() > 0 {
        tokio::task::yield_now().await;
    }
    root.idle().await;
}

async fn budget_trace_and_baggage(http: Http) {
    let (first, root, mut told) = house(http).await;
    let caller = Caller { user_id: u64::MAX, tenant: Some("quick, très vite = 100%".to_owned()) };
    let budget = Duration::from_secs(60);
    let ctx =
        Ctx::background().with_timeout(budget).child_span().with_baggage(&caller).expect("fits");
    let response = client(http).get(&first).send().with(&ctx).await.expect("an answer");
    assert_eq!(response.json::<Caller>().await.expect("the caller"), caller);

    let (mut before, mut spans) = (budget, Vec::new());
    for number in 1..=3 {
        let Some(Told::Arrived { hop, trace_id, span_id, left, caller: read }) = told.recv().await
        else {
            panic!("hop {number} was not reached")
        };
        assert_eq!((hop, trace_id), (number, ctx.span().trace_id().to_string()));
        let left = left.expect("a deadline");
        assert!(left < before, "hop {number} has {left:?} of {before:?}");
        assert_eq!(read, caller);
        before = left;
        spans.push(span_id);
    }
    spans.sort();
    spans.dedup();
    assert_eq!(spans.len(), 3, "a span of its own for each hop");
    quiet(&root).await;
}

fn slow() -> Caller {
    Caller { user_id: 1, tenant: Some("slow & patient".to_owned()) }
}

async fn until_waiting(told: &mut UnboundedReceiver<Told>) {
    while told.recv().await.expect("the services live") != Told::Waiting {}
}

/// What the three hops tell of the end, in the order of the hops.
async fn ends(told: &mut UnboundedReceiver<Told>) -> Vec<String> {
    let (mut causes, mut released) = (vec![String::new(); 3], false);
    while causes.iter().any(String::is_empty) {
        match told.recv().await.expect("the services live") {
            Told::Unwound { hop, cause } => causes[hop - 1] = cause,
            Told::Released => released = true,
            other => panic!("{other:?} after the end"),
        }
    }
    assert!(released, "the last hop's shield completed");
    causes
}

async fn a_deadline_ends_all_three(http: Http) {
    let (first, root, mut told) = house(http).await;
    // A client that says how long it would wait, and then waits for the answer all the same.
    let builder = ctxprop_reqwest::reqwest::Client::builder().no_proxy();
    let stranger = match http {
        Http::One => builder.http1_only(),
        Http::Two => builder.http2_prior_knowledge(),
    };
    let request = stranger.build().expect("a client").get(&first);
    let request = request
        .header("x-timeout-ms", "300")
        .header("baggage", "user.id=1,tenant=slow%20%26%20patient");
    let response = tokio::spawn(request.send());
    until_waiting(&mut told).await;
    let causes = ends(&mut told).await;
    // A hop may learn of it from its own clock, or from its caller, which was a moment earlier.
    let legal = |cause: &String| {
        cause.starts_with("the deadline passed") || cause == "the client disconnected"
    };
    assert!(causes[0].starts_with("the deadline passed") && causes.iter().all(legal), "{causes:?}");
    let response = response.await.expect("no panic").expect("an answer");
    assert_eq!(response.status(), 504);
    assert_eq!(response.headers()["x-deadline-exceeded"], "caller");
    quiet(&root).await;
}

async fn a_client_that_leaves_ends_all_three(http: Http) {
    let (first, root, mut told) = house(http).await;
    let (ctx, canceller) = Ctx::background().with_baggage(&slow()).expect("fits").with_cancel();
    let request = ctx.spawn(client(http).get(&first).send());
    until_waiting(&mut told).await;
    canceller.cancel();
    assert!(request.await.is_err() || ctx.is_done());
    assert_eq!(ends(&mut told).await, ["the client disconnected"; 3]);
    quiet(&root).await;
}

#[tokio::test]
async fn budget_trace_and_baggage_over_http1() {
    budget_trace_and_baggage(Http::One).await;
}

#[tokio::test]
async fn budget_trace_and_baggage_over_http2() {
    budget_trace_and_baggage(Http::Two).await;
}

#[tokio::test]
async fn a_deadline_over_http1() {
    a_deadline_ends_all_three(Http::One).await;
}

#[tokio::test]
async fn a_deadline_over_http2() {
    a_deadline_ends_all_three(Http::Two).await;
}

#[tokio::test]
async fn a_client_that_leaves_over_http1() {
    a_client_that_leaves_ends_all_three(Http::One).await;
}

#[tokio::test]
async fn a_client_that_leaves_over_http2() {
    a_client_that_leaves_ends_all_three(Http::Two).await;
}
