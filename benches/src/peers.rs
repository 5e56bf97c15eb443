//! What people use today in place of ctxprop: the peers of the report's rows about whole requests.

pub mod floor;
pub mod minimal;
pub mod otel;
