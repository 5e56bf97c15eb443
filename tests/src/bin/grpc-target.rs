//! A gRPC service behind the layer, for clients that others wrote: the standard health service, slowed down.
//!
//! `Check` answers `SERVING` after one second. `Watch` sends a message each 100 ms, for 3 seconds.
//!
//! ```console
//! $ cargo run -p ctxprop-tests --bin grpc-target -- --port 50051
//! listening on 127.0.0.1:50051
//! ```

use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use ctxprop::{Ctx, propagate};
use ctxprop_tonic::CtxLayer;
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use tokio::net::TcpListener;
use tokio::time::{Instant, interval_at};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

const CHECK: Duration = Duration::from_secs(1);
const PERIOD: Duration = Duration::from_millis(100);
const MESSAGES: usize = 30;

type Watched = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

struct Slow;

fn serving() -> HealthCheckResponse {
    HealthCheckResponse { status: ServingStatus::Serving.into() }
}

#[propagate]
impl Slow {
    async fn checks(&self) -> Result<HealthCheckResponse, Status> {
        tokio::time::sleep(CHECK).await;
        Ok(serving())
    }
}

#[tonic::async_trait]
impl Health for Slow {
    type WatchStream = Watched;

    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.checks().with(&Ctx::current()).await.map(Response::new)
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Watched>, Status> {
        let ticks = interval_at(Instant::now() + PERIOD, PERIOD);
        let messages = unfold(ticks, async |mut ticks| {
            ticks.tick().await;
            Some((Ok(serving()), ticks))
        });
        Ok(Response::new(Box::pin(messages.take(MESSAGES))))
    }
}

fn port(mut args: impl Iterator<Item = String>) -> Result<u16, String> {
    match (args.next().as_deref(), args.next(), args.next()) {
        (Some("--port"), Some(port), None) => {
            port.parse().map_err(|error| format!("--port {port}: {error}"))
        }
        _ => Err("usage: grpc-target --port <port>, 0 for any that is free".to_owned()),
    }
}

async fn serve(port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);
    let server = Server::builder().layer(CtxLayer::mesh()).add_service(HealthServer::new(Slow));
    server.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))).await?;
    Ok(())
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
