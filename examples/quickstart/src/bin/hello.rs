//! The smallest service of the README, whole. `cargo run -p quickstart --bin hello` serves it on port 8080.

use std::time::Duration;

use axum::{Router, routing::get};
use ctxprop::{Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use tokio::net::TcpListener;

// A handler takes its context as a parameter: the layer below made it.
#[propagate]
async fn hello(ctx: Ctx) -> Result<String, Cancelled> {
    let name = name().await?;
    Ok(format!("Hello {name}, there are {:?} left.\n", ctx.remaining().unwrap_or_default()))
}

// A function further in does not mention it, and has that of its caller all the same.
#[propagate]
async fn name() -> Result<String, Cancelled> {
    tokio::time::sleep(Duration::from_secs(1)).await; // A slow database, say.
    Ok("Ada".to_owned())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(hello))
        .layer(CtxLayer::edge().default_budget(Duration::from_secs(5)));
    axum::serve(TcpListener::bind("127.0.0.1:8080").await?, app).await
}
