//! A shop, as a team would run it: a gateway that strangers call, the orders, the stock with the payments, and a worker that
//! sends the parcels. Each is a process of its own; `shop demo` starts all of them, places one order and goes down.
//!
//! ```text
//!  client ──HTTP──▶ gateway ──HTTP──▶ orders ──HTTP──▶ stock (and payments)
//!                     ▲ board            │ ▲
//!                     └──────── NATS ────┤ └──HTTP── worker
//!                                        └───NATS────▶
//! ```
//!
//! | file | shows |
//! | --- | --- |
//! | `gateway.rs` | who asks, found out by middleware; an upload, events and a WebSocket, passed on |
//! | `orders.rs`, `orders/*` | an order over two services that is never left half done; prices that all requests share; events; messages that are sent if, and only if, the transaction was committed |
//! | `stock.rs` | the other half of it: keys that make repeating harmless, an upload that leaves no half file |
//! | `worker.rs` | a context that came with a message |
//! | `service.rs` | what all of them do to begin and to end |
//! | `database.rs` | SQLite transactions under a context |
//! | `client.rs` | the command line |

mod client;
pub mod database;
mod error;
pub mod gateway;
mod model;
pub mod orders;
pub mod processes;
pub mod service;
pub mod stock;
pub mod worker;

pub use client::{order, upload, watch};
pub use error::ShopError;
pub use model::{Caller, NewOrder, Receipt};
