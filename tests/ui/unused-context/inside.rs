//! In closures, blocks and loops, each with names of its own.
#![deny(warnings)]
#![allow(dead_code)]

use std::time::Duration;

use ctxprop::{Cancelled, Ctx, propagate};

#[propagate]
async fn load(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

#[propagate]
async fn inside(ids: Vec<u64>) -> Result<(), Cancelled> {
    for id in ids {
        let short = Ctx::current().with_timeout(Duration::from_millis(100));
        load(id).await?;
    }
    let block = async {
        let half = Ctx::current().with_budget_share(0.5);
        load(1).await
    };
    block.await?;
    let closure = async || {
        let traced = Ctx::current().child_span();
        load(2).await
    };
    closure().await?;
    Ok(())
}

fn main() {}
