//! HTTP to gRPC to HTTP over real sockets: what each hop saw.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "it is a test")]

use std::time::Duration;

use ctxprop::{Background, Ctx, SpanContext};
use ctxprop_reqwest::Client;
use ctxprop_tonic::CtxChannel;
use grpc::{Article, House, Log, Seen, WarehouseClient};
use tokio::sync::mpsc::UnboundedReceiver;
use tonic::Code;

const HOPS: [&str; 3] = ["shop", "warehouse", "robot"];

async fn next(seen: &mut UnboundedReceiver<Seen>, count: usize) -> Vec<Seen> {
    let mut all = Vec::new();
    while all.len() < count {
        all.push(seen.recv().await.expect("the house is open"));
    }
    all
}

fn at(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|it| it.at).collect()
}

async fn open() -> (House, Client, UnboundedReceiver<Seen>) {
    let (log, seen) = Log::new();
    let house = House::open(&log).await.unwrap();
    let shop = Client::builder().base_url(house.shop.as_str()).build().unwrap();
    (house, shop, seen)
}

#[tokio::test(start_paused = true)]
async fn trace_baggage_and_a_shrinking_budget_reach_the_last_hop() {
    let (_house, shop, mut seen) = open().await;
    let ctx = Ctx::background().with_timeout(Duration::from_secs(5));
    let answer = shop.post("/orders/50").send().with(&ctx).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "article 50 from shelf 1");
    let arrived = next(&mut seen, 3).await;
    assert_eq!(at(&arrived), HOPS);
    assert!(arrived.iter().all(|it| it.what == "arrived" && it.trace == arrived[0].trace));
    assert!(arrived.iter().all(|it| it.customer.as_deref() == Some("ada")), "{arrived:?}");
    let left: Vec<_> = arrived.iter().map(|it| it.left.unwrap()).collect();
    assert!(left.is_sorted_by(|one, next| one >= next), "{left:?}");
    assert!(left[0] <= Duration::from_secs(5) && left[2] > Duration::from_secs(4), "{left:?}");
    let ended = next(&mut seen, 3).await;
    assert!(ended.iter().all(|it| it.what == "the request is over"), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_one_for_all_three() {
    let (_house, shop, mut seen) = open().await;
    let ctx = Ctx::background().with_timeout(Duration::from_millis(300));
    let error = shop.post("/orders/60000").send().with(&ctx).await.unwrap_err();
    assert!(error.cancelled().is_some_and(|end| end.is_deadline()), "{error:?}");
    let arrived = next(&mut seen, 3).await;
    assert_eq!(at(&arrived), HOPS);
    let mut ended = next(&mut seen, 3).await;
    ended.sort_by_key(|it| HOPS.iter().position(|hop| *hop == it.at));
    assert_eq!(at(&ended), HOPS);
    assert!(ended.iter().all(|it| it.what == "the deadline passed"), "{ended:?}");
}

#[tokio::test]
async fn a_cancel_ripples_through_all_three() {
    let (_house, shop, mut seen) = open().await;
    let (ctx, canceller) = Ctx::background().with_cancel();
    let ordering = tokio::spawn(shop.post("/orders/60000").send().with(&ctx));
    assert_eq!(at(&next(&mut seen, 3).await), HOPS);
    canceller.cancel();
    assert!(ordering.await.unwrap().unwrap_err().cancelled().is_some());
    let ended = next(&mut seen, 3).await;
    assert_eq!(at(&ended), HOPS, "from the edge to the last hop");
    assert!(ended.iter().all(|it| it.what == "the client disconnected"), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_at_its_deadline() {
    let (house, shop, mut seen) = open().await;
    let ctx = Ctx::background().with_timeout(Duration::from_secs(5));
    let answer = shop.get("/levels/9").send().with(&ctx).await.unwrap();
    // At once, and then each 100 ms, for 550 ms.
    assert_eq!(answer.text().await.unwrap(), "[9, 8, 7, 6, 5, 4]");
    let seen = next(&mut seen, 4).await;
    let warehouse: Vec<_> = seen.iter().filter(|it| it.at == "warehouse").collect();
    assert_eq!(warehouse[0].what, "arrived");
    assert!(warehouse[0].left.unwrap() <= Duration::from_millis(550));
    assert_eq!(warehouse[1].what, "the deadline passed");

    // And without the shop in between, which made an answer of it.
    let mut client = WarehouseClient::new(CtxChannel::lazy(house.warehouse));
    let ctx =
        Ctx::background().with_span(SpanContext::root()).with_timeout(Duration::from_millis(250));
    let mut levels = ctx.scope(client.watch(Article { id: 3 })).await.unwrap().into_inner();
    let mut came = Vec::new();
    let status = loop {
        match levels.message().await {
            Ok(level) => came.push(level.map(|level| level.left)),
            Err(status) => break status,
        }
    };
    assert_eq!(came, [Some(3), Some(2), Some(1)]);
    assert_eq!(status.code(), Code::DeadlineExceeded);
}
