//! `LocalKey::scope` of tokio's task-locals.

use ctxprop::propagate;

use super::{ctx, work};

tokio::task_local! {
    static TENANT: u32;
}

#[propagate]
async fn of_the_tenant(n: u32) -> u32 {
    work(n).await + TENANT.get()
}

#[propagate]
async fn scoped() -> u32 {
    TENANT.scope(1000, of_the_tenant(1)).await
}

#[tokio::test]
async fn local_keys() {
    assert_eq!(scoped().with(&ctx()).await, 1101);
}
