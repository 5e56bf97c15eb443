//! `on_upgrade`, as axum's: what it is given is called once, in a task of its own, when the function is over.

use ctxprop::propagate;
use tokio::task::JoinHandle;

use super::{ctx, plain, work};

struct Upgrade;

impl Upgrade {
    fn on_upgrade<F, C>(self, callback: C) -> JoinHandle<u32>
    where
        C: FnOnce(u32) -> F + Send + 'static,
        F: Future<Output = u32> + Send + 'static,
    {
        tokio::spawn(async { callback(1).await })
    }
}

#[propagate]
async fn session(n: u32, more: Vec<u32>) -> u32 {
    work(n + more.iter().sum::<u32>()).await
}

#[propagate]
async fn upgraded() -> [JoinHandle<u32>; 4] {
    let more = vec![1, 2];
    let also = vec![3];
    [
        Upgrade.on_upgrade(|n| session(n, more)),
        Upgrade.on_upgrade(move |n| session(n, also)),
        Upgrade.on_upgrade(work),
        Upgrade.on_upgrade(|n| plain(n)),
    ]
}

#[tokio::test]
async fn upgrades() {
    let mut values = Vec::new();
    for task in upgraded().with(&ctx()).await {
        values.push(task.await.unwrap());
    }
    assert_eq!(values, [104, 104, 101, 1]);
}
