//! HTTP to gRPC to HTTP with one context: trace, baggage, a budget that shrinks, and one end for all.
//!
//! | service | speaks | is |
//! | --- | --- | --- |
//! | [`shop`] | HTTP in, gRPC out | the edge: it knows who asks, and says so in baggage |
//! | [`warehouse`] | gRPC in, HTTP out | the middle: a generated server, whose methods hand over to `#[propagate]` ones |
//! | [`robot`] | HTTP in | the last hop, which takes its time |
//!
//! [`House::open`] serves all three on loopback.

mod generated {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::missing_errors_doc,
        clippy::doc_markdown,
        reason = "generated"
    )]
    tonic::include_proto!("warehouse");
}
mod log;
pub mod robot;
pub mod shop;
pub mod warehouse;

use std::io;
use std::net::SocketAddr;

use ctxprop_tonic::CtxChannel;
use tokio::net::TcpListener;
use tonic::transport::Endpoint;

pub use generated::warehouse_client::WarehouseClient;
pub use generated::{Article, Level, Reservation};
pub use log::{Log, Seen};

/// Who asks, as it travels.
#[derive(ctxprop::Baggage, Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name that the shop knows the customer by.
    #[baggage(key = "customer", max_len = 32)]
    pub customer: String,
}

/// Three services on loopback.
#[derive(Debug)]
pub struct House {
    /// Where the shop is, as a base of URLs.
    pub shop: String,
    /// Where the warehouse is.
    pub warehouse: Endpoint,
}

impl House {
    /// Serves them; what they see goes to `log`.
    ///
    /// # Errors
    ///
    /// There is no port, or the client cannot be built.
    pub async fn open(log: &Log) -> io::Result<House> {
        let (listener, at) = listen().await?;
        let app = robot::app(log.clone());
        drop(tokio::spawn(async move { axum::serve(listener, app).await }));

        let (listener, here) = listen().await?;
        let robot = ctxprop_reqwest::Client::builder().base_url(format!("http://{at}").as_str());
        let server =
            warehouse::serve(listener, robot.build().map_err(io::Error::other)?, log.clone());
        drop(tokio::spawn(server));

        let (listener, at) = listen().await?;
        let warehouse =
            Endpoint::from_shared(format!("http://{here}")).map_err(io::Error::other)?;
        let app = shop::app(WarehouseClient::new(CtxChannel::lazy(warehouse.clone())), log.clone());
        drop(tokio::spawn(async move { axum::serve(listener, app).await }));
        Ok(House { shop: format!("http://{at}"), warehouse })
    }
}

async fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
