//! Under an alias, of another module, and with its type written out.
#![deny(warnings)]
#![allow(dead_code)]

use std::time::Duration;

use ctxprop::propagate;

mod prelude {
    pub type Request = ctxprop::Ctx;
    pub use ctxprop::Ctx as Context;
}
use prelude::*;

fn of_the_request() -> Request {
    Context::current()
}

#[propagate]
async fn aliased() {
    let short: Context = Context::current().with_timeout(Duration::from_secs(1));
}

#[propagate]
async fn of_a_function() {
    let short = of_the_request().with_deadline(tokio::time::Instant::now());
}

fn main() {}
