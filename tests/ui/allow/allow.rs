//! The escape: what it takes, on a function and on a statement.

#![deny(warnings)]

use ctxprop::propagate;

#[propagate(allow(detached_tasks, reason = "typo"))]
async fn nearly_a_rule() {}

#[propagate(allow(everything, reason = "no such rule"))]
async fn no_rule() {}

#[propagate(allow(detached_task, reason))]
async fn no_text() {}

#[propagate(allow(detached-task, reason = "as messages write it"))]
async fn dashes() {}

#[propagate(allow(reason = "nothing"))]
async fn only_a_reason() {}

#[propagate]
async fn on_statements() {
    #[propagate(allow(detached_task))]
    tokio::spawn(async {});
    #[propagate(allow(bare_clients, reason = "typo"))]
    let client = 1;
    #[propagate(allow)]
    drop(client);
    #[propagate]
    drop(client);
    #[propagate(budget = "1s")]
    drop(client);
    #[propagate(allow(detached_task, reason = " "))]
    println!("{client}");
}

fn main() {}
