//! The board: a WebSocket that tells what happens in the shop, for as long as it is open.

use async_nats::Subscriber;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::extract::{State, WebSocketUpgrade};
use axum::response::Response;
use ctxprop::{Cancelled, Ctx, propagate};
use futures_util::StreamExt;
use tokio::sync::broadcast::{self, Receiver, error::RecvError};

use super::Gateway;

/// A job of the gateway: gives each message of the broker to all who look.
#[propagate]
pub(super) async fn feed(
    mut messages: Subscriber,
    board: broadcast::Sender<String>,
) -> Result<(), Cancelled> {
    while let Some(message) = messages.next().await {
        // Where nobody looks, nobody is told.
        drop(board.send(String::from_utf8_lossy(&message.payload).into_owned()));
    }
    tracing::warn!("the broker is gone");
    Ok(())
}

pub(super) async fn board(
    ctx: Ctx,
    State(gateway): State<Gateway>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let news = gateway.0.board.subscribe();
    upgrade.on_upgrade(move |socket| async move { session(socket, news).with(&ctx).await })
}

/// Cannot say that its context has ended, so it has the last word.
#[propagate]
async fn session(mut socket: WebSocket, news: Receiver<String>) {
    if let Err(cancelled) = tells(&mut socket, news).await {
        let bye = CloseFrame { code: close_code::AWAY, reason: cancelled.to_string().into() };
        if let Err(error) = socket.send(Message::Close(Some(bye))).await {
            tracing::debug!(%error, "who looked at the board has gone");
        }
    }
}

#[propagate]
async fn tells(socket: &mut WebSocket, mut news: Receiver<String>) -> Result<(), Cancelled> {
    loop {
        tokio::select! {
            change = news.recv() => match change {
                Ok(change) => {
                    if socket.send(Message::text(change)).await.is_err() {
                        return Ok(());
                    }
                }
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "a board is slow"),
                Err(RecvError::Closed) => return Ok(()),
            },
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            },
        }
    }
}
