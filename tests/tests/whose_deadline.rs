//! Three services over real sockets, and whose budget it was that ran out: each hop tells its caller's from
//! its own, and believes nobody else about its own caller (design, section 5.4).
//!
//! The clock stands still but for what a test lets pass.
#![allow(clippy::expect_used, reason = "it is a test")]

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ctxprop::{Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_reqwest::{Client, Error};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const MARK: &str = "x-deadline-exceeded";

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What a hop makes of the answer to its call, in this order: its number, and what it saw.
type Saw = (usize, String);

#[derive(Clone)]
struct Hop {
    number: usize,
    next: Option<String>,
    /// What it sets aside for the call, where that is not all it has.
    own: Option<Duration>,
    client: Client,
    tell: UnboundedSender<Saw>,
}

impl Hop {
    fn tell(&self, saw: impl Into<String>) {
        self.tell.send((self.number, saw.into())).expect("the test listens");
    }
}

/// Passes on whatever comes back, headers and all, as a careless proxy does.
#[propagate]
async fn visit(ctx: Ctx, State(hop): State<Hop>) -> Result<Response, Cancelled> {
    let call = hop.own.map_or(ctx.clone(), |own| ctx.with_timeout(own));
    match call_next(&hop).with(&call).await {
        Ok(response) => {
            let mark = response.headers().get(MARK).map(|whose| whose.to_str().expect("text"));
            hop.tell(format!("{} {}", response.status().as_u16(), mark.unwrap_or("-")));
            Ok((response.status(), response.headers().clone()).into_response())
        }
        Err(Error::Cancelled(cancelled)) => {
            hop.tell("cancelled");
            Err(cancelled)
        }
        Err(error) => panic!("{error}"),
    }
}

#[propagate]
async fn call_next(hop: &Hop) -> Result<ctxprop_reqwest::Response, Error> {
    match &hop.next {
        Some(next) => hop.client.get(next).send().await,
        None => {
            hop.tell("reached");
            std::future::pending().await
        }
    }
}

/// How a hop is set up.
struct SetUp {
    layer: CtxLayer,
    own: Option<Duration>,
}

fn mesh() -> SetUp {
    SetUp { layer: CtxLayer::mesh(), own: None }
}

/// The services in a row, the last of which calls `last` or waits forever.
async fn house(set_up: [SetUp; 3], last: Option<String>) -> (String, UnboundedReceiver<Saw>) {
    let (tell, saw) = unbounded_channel();
    let mut next = last;
    for (index, SetUp { layer, own }) in set_up.into_iter().enumerate().rev() {
        let client = Client::builder().no_proxy().build().expect("a client");
        let hop = Hop { number: index + 1, next: next.take(), own, client, tell: tell.clone() };
        let app = Router::new().route("/", get(visit)).with_state(hop).layer(layer);
        next = Some(serve(app).await);
    }
    (next.expect("the first"), saw)
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// Time passes only where a test says so.
fn hold_the_clock() {
    tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
}

/// The answer to somebody who would wait for `budget`, once `passes` has: its status and mark.
async fn ask(
    url: &str,
    budget: Option<u64>,
    saw: &mut UnboundedReceiver<Saw>,
    passes: Duration,
) -> String {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut request = client.get(url).header(MARK, "caller");
    if let Some(budget) = budget {
        request = request.header("x-timeout-ms", budget);
    }
    let answer = tokio::spawn(request.send());
    assert_eq!(saw.recv().await, Some((3, "reached".to_owned())));
    tokio::time::advance(passes).await;
    let answer = answer.await.expect("no panic").expect("an answer");
    let mark = answer.headers().get(MARK).map_or("-", |whose| whose.to_str().expect("text"));
    format!("{} {mark}", answer.status().as_u16())
}

/// What each hop saw, told by the number of the hop.
fn by_hop(saw: &mut UnboundedReceiver<Saw>) -> Vec<Saw> {
    let mut all: Vec<_> = std::iter::from_fn(|| saw.try_recv().ok()).collect();
    all.sort();
    all
}

fn saw(one: &str, two: &str, three: &str) -> Vec<Saw> {
    vec![(1, one.to_owned()), (2, two.to_owned()), (3, three.to_owned())]
}

const OURS: &str = "cancelled";

#[tokio::test(start_paused = true)]
async fn the_callers_budget_is_the_callers_at_every_hop() {
    hold_the_clock();
    for first in [CtxLayer::mesh(), CtxLayer::edge().default_budget(ms(5_000))] {
        let first = SetUp { layer: first, own: None };
        let (url, mut told) = house([first, mesh(), mesh()], None).await;
        assert_eq!(ask(&url, Some(1_000), &mut told, ms(1_000)).await, "504 caller");
        let seen = by_hop(&mut told);
        assert!(seen.iter().all(|(_, saw)| saw == OURS), "{seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_edges_own_budget_is_the_servers() {
    hold_the_clock();
    // None came, or one that is longer than what a stranger may ask for.
    for asked in [None, Some(60_000)] {
        let edge = SetUp { layer: CtxLayer::edge().default_budget(ms(1_000)), own: None };
        let (url, mut told) = house([edge, mesh(), mesh()], None).await;
        assert_eq!(ask(&url, asked, &mut told, ms(1_000)).await, "504 server");
    }
}

#[tokio::test(start_paused = true)]
async fn a_share_that_the_middle_set_aside_is_its_own() {
    hold_the_clock();
    let middle = SetUp { own: Some(ms(500)), ..mesh() };
    let (url, mut told) = house([mesh(), middle, mesh()], None).await;
    // The third says that its caller's ran out, which was the second's share and not its caller's budget.
    assert_eq!(ask(&url, Some(1_000), &mut told, ms(500)).await, "504 -");
    assert_eq!(by_hop(&mut told), saw("504 server", OURS, OURS));
}

#[tokio::test(start_paused = true)]
async fn what_the_middle_or_the_last_grants_is_its_own() {
    hold_the_clock();
    let short = || SetUp { layer: CtxLayer::mesh().max_budget(ms(500)), own: None };
    let (url, mut told) = house([mesh(), short(), mesh()], None).await;
    assert_eq!(ask(&url, Some(1_000), &mut told, ms(500)).await, "504 -");
    assert_eq!(by_hop(&mut told), saw("504 server", OURS, OURS));

    let (url, mut told) = house([mesh(), mesh(), short()], None).await;
    assert_eq!(ask(&url, Some(1_000), &mut told, ms(500)).await, "504 -");
    // The second passes the answer on as it came; what it says of the second is not said of the first.
    assert_eq!(by_hop(&mut told), saw("504 -", "504 server", OURS));
}

/// A server of somebody else's that blames its caller for whatever happens.
async fn blames_its_caller(status: u16) -> String {
    let status = reqwest::StatusCode::from_u16(status).expect("a status");
    serve(Router::new().fallback(move || async move { (status, [(MARK, "caller")]) })).await
}

#[tokio::test]
async fn a_stranger_behind_us_cannot_blame_our_caller() {
    for (status, answers, third) in [
        // It is taken for our own budget, as the contract says; nothing is said of the caller's.
        (504, "504 -", OURS),
        (503, "503 -", "503 caller"),
        (200, "200 -", "200 caller"),
    ] {
        let (url, mut told) =
            house([mesh(), mesh(), mesh()], Some(blames_its_caller(status).await)).await;
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer =
            client.get(&url).header("x-timeout-ms", 60_000).send().await.expect("an answer");
        let mark = answer.headers().get(MARK).map_or("-", |whose| whose.to_str().expect("text"));
        assert_eq!(format!("{} {mark}", answer.status().as_u16()), answers);
        let (first, second) =
            if status == 504 { ("504 -", "504 server") } else { (answers, answers) };
        assert_eq!(by_hop(&mut told), saw(first, second, third));
    }
}
