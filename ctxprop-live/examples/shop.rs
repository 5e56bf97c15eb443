//! A shop with a hanging stock, to look at.
//!
//! `cargo run -p ctxprop-live --example shop`, then open the address that it prints, or `ctxprop ps` it.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_axum::{CtxLayer, handler};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

const SECOND: Duration = Duration::from_secs(1);

/// Nobody puts anything in.
static STOCK: Semaphore = Semaphore::const_new(0);

#[propagate]
async fn checkout(ctx: Ctx) -> Result<&'static str, Cancelled> {
    let audit = ctx.detach("the audit log is written whatever happens").with_timeout(60 * SECOND);
    drop(audit.spawn(write_audit()));
    let (stock, price) = tokio::join!(reserve(), quote());
    stock?;
    price?;
    Ok("done")
}

#[propagate]
async fn write_audit() -> Result<(), Cancelled> {
    tokio::time::sleep(40 * SECOND).await;
    Ok(())
}

#[propagate]
async fn reserve() -> Result<(), Cancelled> {
    drop(STOCK.acquire().await);
    Ok(())
}

#[propagate]
async fn quote() -> Result<u64, Cancelled> {
    tokio::time::sleep(SECOND / 5).await;
    Ok(100)
}

/// Its caller leaves after a while, and its cleanup hangs.
#[propagate]
async fn refund(ctx: Ctx) -> Result<&'static str, Cancelled> {
    if reserve().await.is_err() {
        ctx.shield(90 * SECOND, release()).await??;
    }
    Ok("done")
}

#[propagate]
async fn release() -> Result<(), Cancelled> {
    std::future::pending::<()>().await;
    Ok(())
}

#[propagate]
async fn search() -> Result<&'static str, Cancelled> {
    quote().await?;
    Ok("found")
}

/// A job of the process that was told to stop, and does not.
#[propagate]
async fn import() -> Result<(), Cancelled> {
    Ctx::current().shield(600 * SECOND, release()).await??;
    Ok(())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    if !ctxprop_live::enable() {
        return Err(std::io::Error::other("something else observes this process"));
    }
    let layer = CtxLayer::mesh().default_budget(30 * SECOND);
    let app: Router = Router::new()
        .route("/checkout/{id}", post(checkout))
        .route("/refunds/{id}", post(refund))
        .route("/search", get(handler(search)))
        .layer(layer.route_budget("/refunds/{id}", 3 * SECOND))
        .merge(ctxprop_live::router());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("http://{address}/debug/ctx (pid {})", std::process::id());

    let (jobs, stop) = Ctx::background().with_cancel();
    drop(jobs.spawn(import()));
    tokio::spawn(async move {
        let client = ctxprop_reqwest::Client::new();
        let root = Ctx::background();
        let mut n = 0_u32;
        loop {
            n += 1;
            let path = match n % 8 {
                0 => format!("/refunds/{n}"),
                1 | 2 => format!("/checkout/{n}"),
                _ => "/search".to_owned(),
            };
            let url = format!("http://{address}{path}");
            let request = if n % 8 < 3 { client.post(&url) } else { client.get(&url) };
            drop(root.spawn(request.send()));
            if n == 4 {
                stop.cancel_with(Cause::Shutdown);
            }
            tokio::time::sleep(SECOND / 4).await;
        }
    });
    let drained = ctxprop_axum::serve(listener, app).await;
    println!("{} requests did not end", drained.stragglers().len());
    Ok(())
}
