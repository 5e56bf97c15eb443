//! `main` makes its context itself.

#[ctxprop::propagate]
#[tokio::main]
async fn main() {}
