//! The service under test of W3C's trace-context harness (<https://github.com/w3c/trace-context>, `test/`).
//!
//! `POST /test` has a JSON array of `{"url", "arguments"}`. For each element in order `arguments` goes to `url`,
//! as a POST with a child span of its own. The answer is 200 whatever became of them, and 400 for any other body.
//!
//! ```console
//! $ cargo run -p ctxprop-tests --bin trace-context-target -- --port 5000
//! listening on http://127.0.0.1:5000/test
//! ```

use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use ctxprop::{Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_reqwest::{Client, Error};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;

/// For addresses that swallow requests; the harness itself waits for five seconds.
const BUDGET: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Call {
    url: String,
    #[serde(default)]
    arguments: Value,
}

#[propagate]
async fn test(
    _: Ctx,
    State(client): State<Client>,
    body: Bytes,
) -> Result<(), (StatusCode, String)> {
    let calls: Vec<Call> = serde_json::from_slice(&body).map_err(|error| {
        let expected = r#"expected [{"url": "..", "arguments": ..}, ..]"#;
        (StatusCode::BAD_REQUEST, format!("{expected}: {error}"))
    })?;
    for call in calls {
        if let Err(error) = forward(&client, &call).await {
            eprintln!("POST {}: {error}", call.url);
        }
    }
    Ok(())
}

#[propagate]
async fn forward(client: &Client, call: &Call) -> Result<(), Error> {
    // Read to its end, so that the connection serves the next call too.
    client.post(&call.url).json(&call.arguments).send().await?.bytes().await?;
    Ok(())
}

fn port(mut args: impl Iterator<Item = String>) -> Result<u16, String> {
    match (args.next().as_deref(), args.next(), args.next()) {
        (Some("--port"), Some(port), None) => {
            port.parse().map_err(|error| format!("--port {port}: {error}"))
        }
        _ => Err("usage: trace-context-target --port <port>, 0 for any that is free".to_owned()),
    }
}

async fn serve(port: u16) -> std::io::Result<()> {
    let client = Client::builder().build().map_err(std::io::Error::other)?;
    let app = Router::new()
        .route("/test", post(test))
        .layer(CtxLayer::mesh().default_budget(BUDGET))
        .with_state(client);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}/test", listener.local_addr()?);
    axum::serve(listener, app).await
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match port(std::env::args().skip(1)) {
        Ok(port) => serve(port).await.map_err(|error| error.to_string()),
        Err(usage) => Err(usage),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
