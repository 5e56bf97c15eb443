//! `Baggage<T>` as an extractor (design, 6.6): what cannot be read is a 400 that names the key, never the value.

#[path = "support/common.rs"]
mod common;

use axum::Router;
use axum::routing::get;
use common::serve;
use ctxprop_axum::{Baggage, BaggageRejection, CtxLayer};

#[derive(ctxprop::Baggage, Debug)]
#[baggage(rename_all = "lowercase")]
enum Tier {
    Free,
    Gold,
}

#[derive(ctxprop::Baggage, Debug)]
struct Caller {
    #[baggage(key = "user.id", max_len = 20)]
    user_id: u64,
    tier: Option<Tier>,
    #[baggage(flatten)]
    place: Place,
}

#[derive(ctxprop::Baggage, Debug)]
struct Place {
    #[baggage(max_len = 4, default = "eu".to_owned())]
    region: String,
}

async fn whoami(Baggage(caller): Baggage<Caller>) -> String {
    format!("{} {:?} {}", caller.user_id, caller.tier, caller.place.region)
}

/// A handler that answers by itself.
async fn guest(caller: Result<Baggage<Caller>, BaggageRejection>) -> String {
    match caller {
        Ok(Baggage(caller)) => caller.user_id.to_string(),
        Err(rejection) => format!("guest: {rejection}"),
    }
}

fn app() -> Router {
    Router::new().route("/", get(whoami)).route("/guest", get(guest))
}

#[tokio::test]
async fn what_can_be_read_is_read() {
    let address = serve(app().layer(CtxLayer::mesh())).await;
    for (baggage, expected) in [
        ("user.id=7", "7 None eu"),
        ("region=us,tier=gold,user.id=7;p=1", "7 Some(Gold) us"),
        ("user.id=18446744073709551615,tier=free,other=%2C", "18446744073709551615 Some(Free) eu"),
    ] {
        let answer = common::get(address, "/", &[("baggage", baggage)]).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, expected), "{baggage}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_a_400_that_names_the_key_and_not_the_value() {
    let address = serve(app().layer(CtxLayer::mesh())).await;
    for (baggage, expected) in [
        ("tier=gold", "baggage `user.id` is missing"),
        ("user.id=s3cret", "baggage `user.id` is not a valid u64"),
        ("user.id=-7", "baggage `user.id` is not a valid u64"),
        ("user.id=000000000000000000007", "baggage `user.id` is longer than 20 bytes"),
        ("user.id=7,tier=s3cret", "baggage `tier` is not a valid Tier"),
        ("user.id=7,region=s3cret", "baggage `region` is longer than 4 bytes"),
    ] {
        let answer = common::get(address, "/", &[("baggage", baggage)]).await;
        assert_eq!((answer.status, answer.body.as_str()), (400, expected), "{baggage}");
        assert!(!answer.head.contains("s3cret"));
    }
}

/// An edge takes only what it names, so the rest is missing.
#[tokio::test]
async fn what_an_edge_does_not_take_is_missing() {
    let edge = CtxLayer::edge().accept_baggage(["tier"]);
    let address = serve(app().layer(edge)).await;
    let answer = common::get(address, "/", &[("baggage", "user.id=7,tier=gold")]).await;
    assert_eq!((answer.status, answer.body.as_str()), (400, "baggage `user.id` is missing"));
}

#[tokio::test]
async fn a_handler_may_look_at_the_rejection_itself() {
    let address = serve(app().layer(CtxLayer::mesh())).await;
    let answer = common::get(address, "/guest", &[("baggage", "user.id=x")]).await;
    assert_eq!(answer.body, "guest: baggage `user.id` is not a valid u64");
}

#[tokio::test]
async fn without_the_layer_it_is_a_500_that_says_which_one_is_missing() {
    let address = serve(app()).await;
    let answer = common::get(address, "/", &[("baggage", "user.id=7")]).await;
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("CtxLayer::mesh()"), "{}", answer.body);
    let answer = common::get(address, "/guest", &[]).await;
    assert!(answer.body.contains("CtxLayer::mesh()"), "{}", answer.body);
}
