//! The middle: a generated gRPC server, and a client of the robot.

use std::pin::Pin;
use std::time::Duration;

use ctxprop::{Ctx, propagate};
use ctxprop_reqwest::Client;
use ctxprop_tonic::{CtxLayer, status_of};
use tokio::net::TcpListener;
use tokio_stream::wrappers::IntervalStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Error, Server};
use tonic::{Request, Response, Status};

use crate::generated::warehouse_server::{Warehouse, WarehouseServer};
use crate::{Article, Level, Log, Reservation};

type Levels = Pin<Box<dyn Stream<Item = Result<Level, Status>> + Send>>;

struct Shelves {
    robot: Client,
    log: Log,
}

/// Serves it.
///
/// # Errors
///
/// The transport's.
pub async fn serve(listener: TcpListener, robot: Client, log: Log) -> Result<(), Error> {
    Server::builder()
        .layer(CtxLayer::mesh().max_budget(Duration::from_secs(60)))
        .add_service(WarehouseServer::new(Shelves { robot, log }))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
        .await
}

// The trait is generated, and knows nothing of contexts. So its methods hand over to those below, with the context that
// the layer made current.
#[tonic::async_trait]
impl Warehouse for Shelves {
    type WatchStream = Levels;

    async fn reserve(&self, request: Request<Article>) -> Result<Response<Reservation>, Status> {
        self.fetches(request).with(&Ctx::current()).await
    }

    async fn watch(&self, request: Request<Article>) -> Result<Response<Levels>, Status> {
        self.counts(request).with(&Ctx::current()).await
    }
}

#[propagate(span)]
impl Shelves {
    async fn fetches(&self, request: Request<Article>) -> Result<Response<Reservation>, Status> {
        self.log.arrived("warehouse", &Ctx::current());
        let id = request.get_ref().id;
        let answer = self.robot.post(format!("/fetch/{id}")).send().await.map_err(status_of)?;
        let shelf = answer.text().await.map_err(status_of)?;
        Ok(Response::new(Reservation { shelf }))
    }

    /// It counts down for as long as somebody listens. Nothing in it looks at the time: the stream ends with the call.
    async fn counts(&self, request: Request<Article>) -> Result<Response<Levels>, Status> {
        self.log.arrived("warehouse", &Ctx::current());
        let mut left = request.get_ref().id;
        let ticks = IntervalStream::new(tokio::time::interval(Duration::from_millis(100)));
        let levels = ticks.map(move |_| {
            let level = Level { left };
            left = left.saturating_sub(1);
            Ok(level)
        });
        Ok(Response::new(Box::pin(levels)))
    }
}
