//! What travels between the services.

use ctxprop::Baggage;
use serde::{Deserialize, Serialize};

/// Who asks. The gateway finds it out; from there it travels as baggage.
#[derive(Baggage, Clone, Debug)]
pub struct Caller {
    /// The number of the customer: it stays within the shop, whatever a client allows.
    #[baggage(key = "user.id", max_len = 20, private)]
    pub user_id: i64,
    /// Whose shop it is.
    #[baggage(key = "tenant", max_len = 32)]
    pub tenant: String,
}

/// An order, as a client places it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NewOrder {
    /// Chosen by the client: the same order twice is one order.
    pub key: String,
    /// What is ordered.
    pub article: i64,
}

/// What a client gets for it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Receipt {
    /// The order's key.
    pub key: String,
    /// What it cost, in cents.
    pub price: i64,
    /// How far it is: `paid`, or `shipped` where it was asked for again.
    pub state: String,
}

/// What happened to an order.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Change {
    pub(crate) key: String,
    pub(crate) state: String,
}

/// To take the money for an order.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Charge {
    pub(crate) amount: i64,
}

/// To take a piece for an order.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Take {
    pub(crate) article: i64,
}
