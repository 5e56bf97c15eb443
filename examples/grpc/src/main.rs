//! `cargo run -p grpc`: a shop (HTTP) asks its warehouse (gRPC), which asks a robot (HTTP), on loopback.
//!
//! It orders once with enough time, once with too little, leaves once in the middle, and listens to a stream until its
//! time is up. Each line tells what a service saw of it.

use std::error::Error;
use std::time::Duration;

use ctxprop::{Background, Ctx};
use ctxprop_reqwest::Client;
use grpc::{House, Log};
use tokio::sync::mpsc::UnboundedReceiver;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (log, mut seen) = Log::new();
    let house = House::open(&log).await?;
    let shop = Client::builder().base_url(house.shop.as_str()).build()?;

    println!("ordering with time enough");
    let ctx = Ctx::background().with_timeout(Duration::from_secs(2));
    let answer = shop.post("/orders/50").send().with(&ctx).await?;
    println!("  {}: {}", answer.status(), answer.text().await?);
    tell(&mut seen, 6).await;

    println!("ordering what takes a minute, within 300 ms");
    let ctx = Ctx::background().with_timeout(Duration::from_millis(300));
    match shop.post("/orders/60000").send().with(&ctx).await {
        Ok(answer) => println!("  {}: {}", answer.status(), answer.text().await?),
        Err(error) => println!("  {error}"),
    }
    tell(&mut seen, 6).await;

    println!("ordering the same, and leaving when the robot has begun");
    let (ctx, canceller) = Ctx::background().with_cancel();
    let ordering = tokio::spawn(shop.post("/orders/60000").send().with(&ctx));
    tell(&mut seen, 3).await;
    canceller.cancel();
    if let Err(error) = ordering.await? {
        println!("  {error}");
    }
    tell(&mut seen, 3).await;

    println!("listening for half a second");
    let ctx = Ctx::background().with_timeout(Duration::from_secs(2));
    let answer = shop.get("/levels/9").send().with(&ctx).await?;
    println!("  {}: {}", answer.status(), answer.text().await?);
    tell(&mut seen, 4).await;
    Ok(())
}

async fn tell(seen: &mut UnboundedReceiver<grpc::Seen>, count: usize) {
    for _ in 0..count {
        let Some(it) = seen.recv().await else { return };
        let customer = it.customer.as_deref().unwrap_or("nobody");
        let left = it.left.map(|left| format!(", {} ms left", left.as_millis()));
        let trace = it.trace.get(..8).unwrap_or(&it.trace);
        println!(
            "    {:<9} {} (trace {trace}.., for {customer}{})",
            it.at,
            it.what,
            left.unwrap_or_default()
        );
    }
}
