//! Arguments and temporaries drop as those of an `async fn`: compared at run time with the same `async fn`.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_arguments,
    clippy::toplevel_ref_arg,
    reason = "shapes"
)]

// In the prelude since edition 2024; this file is compiled in 2021 too.
#[allow(unused_imports)]
use std::future::Future;
use std::sync::{Arc, Mutex};

use ctxprop::{Ctx, propagate};

use super::{ctx, marked};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn told(&self, name: &'static str) -> Told {
        Told(self.clone(), name)
    }

    fn pair(&self) -> (Told, Told) {
        (self.told("two"), self.told("rest"))
    }

    fn said(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

/// Tells when it drops.
struct Told(Log, &'static str);

impl Told {
    async fn waits(&self) -> usize {
        tokio::task::yield_now().await;
        self.1.len()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().push(self.1);
    }
}

struct Both {
    declared_first: Told,
    declared_last: Told,
}

impl Log {
    fn both(&self) -> Both {
        Both {
            declared_first: self.told("declared first"),
            declared_last: self.told("declared last"),
        }
    }
}

/// The same function in each form. `one` and `two` are used, all others not.
macro_rules! forms {
    ($($(#[$attr:meta])* $name:ident($($ctx:ident: $ty:ty)?);)*) => {$(
        $(#[$attr])*
        async fn $name(
            log: Log,
            _first: Told,
            one: Told,
            $($ctx: $ty,)?
            _: Told,
            (two, _): (Told, Told),
            Both { declared_last, declared_first }: Both,
            ref by_ref: Told,
            _unused: Told,
        ) -> usize {
            $(let _ = &$ctx;)?
            let _local = log.told("local");
            let _ = (&declared_first, &declared_last);
            tokio::task::yield_now().await;
            let kept = log.told("temporary").waits().await + by_ref.1.len();
            drop(one);
            // a temporary of the last expression
            log.told("tail").waits().await + two.1.len() + kept
        }
    )*};
}

forms! {
    plain();
    #[propagate]
    carried();
    #[propagate(budget = "1h")]
    budgeted();
    #[propagate(span, fields(kind = "a span"))]
    in_a_span();
    #[propagate(boxed)]
    boxed();
    #[propagate]
    given(ctx: &Ctx);
    #[propagate(budget = "1h", span)]
    given_budgeted(ctx: &Ctx);
    #[propagate(boxed)]
    given_boxed(ctx: &Ctx);
}

/// What drops, and when: of a future that ends, one that is dropped while it waits, and one never polled.
async fn drops<F: Future<Output = usize>>(call: impl Fn(Log) -> F) -> [Vec<&'static str>; 3] {
    let ended = Log::default();
    call(ended.clone()).await;
    let waiting = Log::default();
    {
        let mut future = std::pin::pin!(call(waiting.clone()));
        assert!(futures::poll!(future.as_mut()).is_pending());
        waiting.0.lock().unwrap().push("dropped");
    }
    let unpolled = Log::default();
    drop(call(unpolled.clone()));
    [ended.said(), waiting.said(), unpolled.said()]
}

macro_rules! call {
    ($name:ident($log:ident $(, $ctx:expr)?)) => {
        $name(
            $log.clone(),
            $log.told("first"),
            $log.told("one"),
            $($ctx,)?
            $log.told("wild"),
            $log.pair(),
            $log.both(),
            $log.told("by_ref"),
            $log.told("unused"),
        )
    };
}

#[tokio::test]
async fn arguments_drop_as_those_of_an_async_fn() {
    let ctx = &ctx();
    let expected = drops(|log| call!(plain(log))).await;
    assert_eq!(drops(|log| call!(carried(log)).with(ctx)).await, expected);
    assert_eq!(drops(|log| call!(budgeted(log)).with(ctx)).await, expected);
    assert_eq!(drops(|log| call!(boxed(log)).with(ctx)).await, expected);
    assert_eq!(drops(|log| call!(given(log, ctx))).await, expected);
    assert_eq!(drops(|log| call!(given_budgeted(log, ctx))).await, expected);
    assert_eq!(drops(|log| call!(given_boxed(log, ctx))).await, expected);
    assert_eq!(drops(|log| call!(in_a_span(log)).with(ctx)).await, expected);
}

#[propagate]
async fn temporaries(log: Log) -> usize {
    let kept = &log.told("kept");
    let sum = kept.waits().await
        + match log.told("matched").waits().await {
            n if n > marked().await.len() => 0,
            n => n,
        };
    log.told("chained").waits().await.max(sum)
}

async fn plain_temporaries(log: Log) -> usize {
    let kept = &log.told("kept");
    let sum = kept.waits().await
        + match log.told("matched").waits().await {
            n if n > 8 => 0,
            n => n,
        };
    log.told("chained").waits().await.max(sum)
}

#[tokio::test]
async fn temporaries_live_across_an_await() {
    let (ours, plain) = (Log::default(), Log::default());
    let result = temporaries(ours.clone()).with(&ctx()).await;
    assert_eq!(result, plain_temporaries(plain.clone()).await);
    assert_eq!(ours.said(), plain.said());
}
