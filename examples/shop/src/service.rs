//! What all services do to begin and to end: a root, a listener, a drain, and what is said of it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use ctxprop::{Background, Canceller, Ctx};
use ctxprop_axum::Drained;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::ShopError;

/// The root of a service. What it does on its own is spawned under it, and ends with it.
#[derive(Debug)]
pub struct Root {
    /// The context.
    pub ctx: Ctx,
    canceller: Canceller,
    /// How long requests may go on once no new ones are taken: a little more than the longest budget of one.
    pub drain: Duration,
    /// How long the rest may take to unwind: more than releasing an order may.
    pub unwind: Duration,
}

impl Root {
    /// A new one.
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Root {
        let (ctx, canceller) = Ctx::background().with_cancel();
        Root { ctx, canceller, drain: Duration::from_secs(6), unwind: Duration::from_secs(15) }
    }

    /// Serves `app` under it.
    ///
    /// # Errors
    ///
    /// The address cannot be listened at.
    pub async fn serve(self, listen: SocketAddr, app: Router) -> Result<Running, ShopError> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let served = ctxprop_axum::serve(listener, app)
            .under(&self.ctx, &self.canceller)
            .with_graceful_shutdown(async move { drop(stopped.await) })
            .drain(self.drain)
            .unwind(self.unwind);
        // It is the one task that no context ends: it ends them.
        let served = tokio::spawn(served.into_future());
        Ok(Running { address, root: self.ctx, stop, served })
    }
}

/// A service that serves.
#[derive(Debug)]
pub struct Running {
    /// Where.
    pub address: SocketAddr,
    /// What all its requests and jobs are below.
    pub root: Ctx,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Drained>,
}

impl Running {
    /// Drains it.
    ///
    /// # Errors
    ///
    /// It panicked.
    pub async fn stop(self) -> Result<Drained, ShopError> {
        drop(self.stop);
        self.served.await.map_err(|error| ShopError::Io(error.into()))
    }
}
