//! What is called `sleep` or `block_on`, and blocks nothing, or blocks a thread of its own.

use std::time::Duration;

use ctxprop::{Ctx, propagate};

use super::root;

mod other {
    pub(super) mod thread {
        pub(in super::super) fn sleep<T>(value: T) -> T {
            value
        }
    }

    pub(super) use thread::sleep as nap;

    pub(super) fn block_on(n: u8) -> u8 {
        n
    }

    /// With the names of tokio's.
    pub(super) struct Runtime;

    impl Runtime {
        pub(super) fn block_on(&self, n: u8) -> u8 {
            let Runtime = self;
            n
        }
    }
}

macro_rules! sleep {
    ($value:expr) => {
        $value
    };
}

#[propagate]
async fn an_alias() -> u8 {
    use other::nap as sleep;
    sleep(1) + other::nap(2)
}

#[propagate]
async fn a_glob() -> u8 {
    use other::thread::*;
    use other::*;
    sleep(1) + block_on(2)
}

#[propagate]
async fn a_nested_module() -> u8 {
    use other::thread;
    thread::sleep(1) + other::thread::sleep(2)
}

#[propagate]
async fn a_method_of_the_same_name() -> u8 {
    let runtime = other::Runtime;
    runtime.block_on(1) + other::Runtime.block_on(2)
}

#[propagate]
async fn a_macro() -> u8 {
    sleep!(3)
}

#[propagate]
async fn a_turbofish_and_a_value() -> u8 {
    let sleep = other::thread::sleep::<u8>;
    sleep(1) + [2].map(other::block_on)[0]
}

/// On a thread of its own, whoever gives it one.
#[propagate]
async fn where_blocking_is_right(ctx: Ctx) -> u8 {
    let handle = tokio::runtime::Handle::current();
    let own = spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(1));
        [1, 2].iter().map(|n| handle.block_on(async { n + 1 })).sum::<u8>()
    });
    let of_the_context =
        ctx.spawn_blocking(|_| tokio::runtime::Handle::current().block_on(async { 3 }));
    own.await.unwrap_or(0) + of_the_context.await.unwrap_or(0)
}

/// As people have it for themselves: it takes their log and hub along.
fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::task::spawn_blocking(work)
}

#[propagate]
async fn the_async_one() {
    use tokio::time::sleep;
    sleep(Duration::ZERO).await;
    tokio::time::sleep(Duration::from_millis(0)).await;
}

#[tokio::test]
async fn none_fires() {
    let ctx = &root();
    assert_eq!(an_alias().with(ctx).await, 3);
    assert_eq!(a_glob().with(ctx).await, 3);
    assert_eq!(a_nested_module().with(ctx).await, 3);
    assert_eq!(a_method_of_the_same_name().with(ctx).await, 3);
    assert_eq!(a_macro().with(ctx).await, 3);
    assert_eq!(a_turbofish_and_a_value().with(ctx).await, 3);
    assert_eq!(where_blocking_is_right(root()).await, 8);
    the_async_one().with(ctx).await;
}
