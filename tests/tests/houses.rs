//! Three houses, as people build them who have never seen this crate, with it: their handlers were written in plain
//! axum, and then given the attribute, the layer and the client. Each is driven over loopback: it works, its deadline
//! passes, its client leaves, it is shut down.
//!
//! - `crud`: a repository with transactions, errors that cannot say `Cancelled`, the attribute on traits and functions;
//! - `proxy`: bodies that stream both ways, retries, health checks, the attribute on an `impl` block;
//! - `worker`: a queue whose messages carry their context, the attribute on a module.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic")]

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;

#[path = "houses/crud.rs"]
mod crud;
#[path = "houses/proxy.rs"]
mod proxy;
#[path = "houses/worker.rs"]
mod worker;

/// Serves on loopback; where.
async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// Tells when it is dropped.
struct Tells<T>(UnboundedSender<T>, fn() -> T);

impl<T> Drop for Tells<T> {
    fn drop(&mut self) {
        // Where the test is over, nobody listens.
        let _ = self.0.send((self.1)());
    }
}
