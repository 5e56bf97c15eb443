//! What is called `spawn`, and starts no task that leaves the request.

use std::fmt::Display;

use ctxprop::{Ctx, propagate};

use super::root;

mod other {
    pub(super) mod task {
        pub(in super::super) fn spawn<T>(value: T) -> T {
            value
        }
        pub(in super::super) fn spawn_blocking<T>(run: impl FnOnce() -> T) -> T {
            run()
        }
    }

    pub(super) use task::spawn as go;

    pub(super) struct Pool;

    impl Pool {
        pub(super) fn spawn(&self, n: u8) -> u8 {
            let Pool = self;
            n
        }
        pub(super) fn spawn_blocking(n: u8) -> u8 {
            n
        }
    }
}

macro_rules! spawn {
    ($value:expr) => {
        $value
    };
}

#[propagate]
async fn an_alias() -> u8 {
    use other::go as start;
    start(1) + other::go(2)
}

#[propagate]
async fn a_glob() -> u8 {
    use other::task::*;
    spawn(1) + spawn_blocking(|| 2)
}

#[propagate]
async fn a_nested_module() -> u8 {
    use other::task;
    task::spawn(1) + other::task::spawn_blocking(|| 2)
}

#[propagate]
async fn a_turbofish() -> u8 {
    other::task::spawn::<u8>(3)
}

#[propagate]
async fn a_macro() -> u8 {
    spawn!(1)
        + spawn!({
            let ctx = Ctx::current();
            u8::from(ctx.is_done()) + 2
        })
}

#[propagate]
async fn methods() -> u8 {
    let ours = Ctx::current().spawn(async { 1 }).await;
    other::Pool.spawn(1) + other::Pool::spawn_blocking(1) + ours.unwrap_or(0)
}

#[propagate]
async fn a_function_as_a_value() -> u8 {
    [1, 2].map(other::task::spawn).iter().sum()
}

#[propagate]
async fn a_parameter(spawn: fn(u8) -> u8, text: impl Display) -> String {
    format!("{text}{}", spawn(3))
}

#[tokio::test]
async fn none_fires() {
    let ctx = &root();
    assert_eq!(an_alias().with(ctx).await, 3);
    assert_eq!(a_glob().with(ctx).await, 3);
    assert_eq!(a_nested_module().with(ctx).await, 3);
    assert_eq!(a_turbofish().with(ctx).await, 3);
    assert_eq!(a_macro().with(ctx).await, 3);
    assert_eq!(methods().with(ctx).await, 3);
    assert_eq!(a_function_as_a_value().with(ctx).await, 3);
    assert_eq!(a_parameter(|n| n, "is ").with(ctx).await, "is 3");
}
