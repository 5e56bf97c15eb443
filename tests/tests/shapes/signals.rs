//! A function that waits for a signal and takes nothing, handed to what nobody knows, as servers take it.

use std::future::Future;

use ctxprop::propagate;

use super::{AppResult, ctx, marked};

#[propagate]
async fn shutdown_signal() {
    assert_eq!(marked().await, "conveyed");
}

mod names {
    #[super::propagate]
    pub(super) async fn terminated_by_signal() {
        assert_eq!(super::marked().await, "conveyed");
    }
}

#[propagate]
async fn bind(port: u16) -> AppResult<u16> {
    Ok(port)
}

#[propagate]
async fn serve_on(
    port: u16,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> AppResult<u16> {
    shutdown.await;
    Ok(port)
}

struct Server(u16);

impl Server {
    async fn serve(self, until: impl Future<Output = ()>) -> u16 {
        until.await;
        self.0
    }
}

/// What bears such a name and is no call of an annotated function stays what it is.
fn plain_signal() -> std::future::Ready<()> {
    std::future::ready(())
}

fn signal() -> u16 {
    1
}

#[propagate]
async fn launch(port: u16) -> AppResult<u16> {
    let served = serve_on(bind(port).await?, shutdown_signal()).await?;
    let run = Server(served).serve(names::terminated_by_signal()).await;
    Ok(run + Server(bind(signal()).await?).serve(plain_signal()).await)
}

#[tokio::test]
async fn signals_carry_the_context() {
    assert_eq!(launch(7).with(&ctx()).await.unwrap(), 8);
}
