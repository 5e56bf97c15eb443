//! The function handed to something that calls it.

use ctxprop::propagate;

#[propagate]
async fn mapped(jobs: Vec<std::future::Ready<()>>) {
    let tasks: Vec<_> = jobs.into_iter().map(tokio::spawn).collect();
    drop(tasks);
}

#[propagate]
async fn kept() {
    let start = tokio::task::spawn_blocking;
    start(|| ());
}

fn main() {}
