//! What is called `timeout` and is not tokio's, and tokio's with a duration that somebody computed.

use std::time::Duration;

use ctxprop::{Ctx, propagate};

use super::root;

mod other {
    use std::time::Duration;

    pub(super) mod time {
        pub(in super::super) fn timeout<T>(_: std::time::Duration, value: T) -> T {
            value
        }
    }

    pub(super) use time::timeout as within;

    pub(super) struct Builder;

    impl Builder {
        pub(super) fn timeout(&self, limit: Duration) -> Duration {
            let Builder = self;
            limit
        }
    }
}

macro_rules! timeout {
    ($limit:expr, $value:expr) => {
        ($limit, $value).1
    };
}

#[propagate]
async fn an_alias() -> u8 {
    other::within(Duration::from_secs(5), async { 3 }).await
}

#[propagate]
async fn a_glob() -> u8 {
    use other::time::*;
    timeout(Duration::from_secs(5), async { 3 }).await
}

#[propagate]
async fn a_nested_module_and_a_turbofish() -> u8 {
    other::time::timeout::<u8>(Duration::from_secs(5), 3)
}

#[propagate]
async fn a_macro() -> u8 {
    timeout!(Duration::from_secs(5), async { 3 }).await
}

#[propagate]
async fn a_method_of_the_same_name() -> Duration {
    other::Builder.timeout(Duration::from_secs(3))
}

#[propagate]
async fn a_function_as_a_value() -> u8 {
    let within = other::time::timeout::<u8>;
    within(Duration::from_secs(5), 3)
}

#[propagate]
async fn a_duration_that_was_computed(limit: Duration) -> Option<u8> {
    use tokio::time::timeout;
    let remaining = Ctx::current().remaining().unwrap_or(limit);
    timeout(remaining.min(Duration::from_secs(5)), async {}).await.ok()?;
    timeout(limit / 2, async { 3 }).await.ok()
}

#[tokio::test]
async fn none_fires() {
    let ctx = &root();
    assert_eq!(an_alias().with(ctx).await, 3);
    assert_eq!(a_glob().with(ctx).await, 3);
    assert_eq!(a_nested_module_and_a_turbofish().with(ctx).await, 3);
    assert_eq!(a_macro().with(ctx).await, 3);
    assert_eq!(a_method_of_the_same_name().with(ctx).await, Duration::from_secs(3));
    assert_eq!(a_function_as_a_value().with(ctx).await, 3);
    assert_eq!(a_duration_that_was_computed(Duration::from_secs(5)).with(ctx).await, Some(3));
}
