//! Each argument that is wrong has a message of its own, at its own token, all at once.

use ctxprop::propagate;

#[propagate(bugdet = "1s")]
async fn unknown() {}

#[propagate(budget = "1s", budget = "2s")]
async fn doubled() {}

#[propagate(budget = "soon", unwind = true)]
async fn wrong_values() -> Result<(), ctxprop::Cancelled> {
    Ok(())
}

#[propagate(budget = "0%")]
async fn no_share() {}

#[propagate(budget = "120%")]
async fn more_than_all() {}

#[propagate(budget = "0s")]
async fn no_time() {}

#[propagate(budget = 250)]
async fn no_unit() {}

#[propagate(budget)]
async fn no_budget() {}

#[propagate(ctx = context)]
async fn no_such_parameter(id: u64) {
    drop(id);
}

#[propagate(allow(detached_task))]
async fn no_reason() {}

#[propagate(allow(detached_task, reason = ""))]
async fn empty_reason() {}

#[propagate(allow(detached_tasks, reason = "typo"))]
async fn unknown_rule() {}

#[propagate(allow)]
async fn nothing_allowed() {}

#[propagate(crate = "not a path")]
async fn no_path() {}

#[propagate("250ms")]
async fn no_key() {}

fn main() {}
