//! In the plain functions that are given a context.
#![deny(warnings)]
#![allow(dead_code)]

use std::time::Duration;

use ctxprop::{Ctx, propagate};

fn log(_: &Ctx) {}

#[propagate]
fn plain(ctx: &Ctx) {
    let detached = ctx.detach("it outlives the request");
    log(ctx);
}

struct Store {
    ctx: Ctx,
}

#[propagate]
impl Store {
    fn method(&self, ctx: &Ctx) {
        let short = self.ctx.with_timeout(Duration::from_secs(1)).clone();
        log(ctx);
    }
}

fn main() {}
