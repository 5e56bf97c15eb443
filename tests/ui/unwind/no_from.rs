//! Two error types, and nothing that makes the one of the other: a call that can be cancelled in a function that cannot say it.

use ctxprop::{Cancelled, propagate};

#[derive(Debug)]
struct Refused;

#[propagate]
async fn load(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

#[propagate]
async fn asks() -> Result<u64, Refused> {
    let id = load(1).await?;
    Ok(id)
}

#[propagate]
async fn returns() -> Result<u64, Refused> {
    load(1).await
}

#[propagate]
async fn of_two_errors() -> Result<u64, std::num::ParseIntError> {
    let n = asks().await?;
    Ok(n)
}

fn main() {}
