//! The command line: what a customer does.

use std::path::Path;

use ctxprop::{Ctx, propagate};
use ctxprop_reqwest::Client;
use futures_util::TryStreamExt;

use crate::{NewOrder, Receipt, ShopError};

/// Orders one piece. The receipt, and the trace under which the shop knows the order.
///
/// # Errors
///
/// The time was up, it was refused, or the shop cannot be reached.
#[propagate]
pub async fn order(
    client: &Client,
    token: &str,
    order: &NewOrder,
) -> Result<(Receipt, String), ShopError> {
    let placed = client.post("/orders").bearer_auth(token).json(order).send().await?;
    let placed = placed.error_for_status()?;
    let trace = placed.headers().get("x-trace-id").and_then(|id| id.to_str().ok());
    let trace = trace.unwrap_or_default().to_owned();
    Ok((placed.json().await?, trace))
}

/// Gives each state of an order to `tell`, until it is at its end.
///
/// # Errors
///
/// As [`order`].
#[propagate]
pub async fn watch(
    ctx: Ctx,
    client: &Client,
    token: &str,
    key: &str,
    mut tell: impl FnMut(&str) + Send,
) -> Result<(), ShopError> {
    let events = client.get(format!("/orders/{key}/events")).bearer_auth(token).send().await?;
    let mut pieces = events.error_for_status()?.bytes_stream();
    let mut read = Vec::new();
    while let Some(piece) = pieces.try_next().await? {
        read.extend_from_slice(&piece);
        while let Some(end) = read.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = read.drain(..=end).collect();
            if let Some(state) = String::from_utf8_lossy(&line).strip_prefix("data: ") {
                tell(state.trim_end());
            }
        }
    }
    tracing::debug!(left = ?ctx.remaining(), "that was all");
    Ok(())
}

/// Uploads a picture of an article.
///
/// # Errors
///
/// As [`order`], and where the file cannot be read.
#[propagate]
pub async fn upload(
    client: &Client,
    token: &str,
    article: i64,
    file: &Path,
) -> Result<String, ShopError> {
    let picture = tokio::fs::read(file).await?;
    let upload = client.put(format!("/articles/{article}/picture")).bearer_auth(token);
    Ok(upload.body(picture).send().await?.error_for_status()?.text().await?)
}
