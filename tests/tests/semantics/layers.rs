//! Thirty random layers still deliver cancel, timeouts and values, as in Go's `testLayers`.

use ctxprop::{Canceller, Cause, Ctx};
use tokio::time::{Instant, advance};

use crate::support::{Rng, poll_once, root, secs};

/// Values of thirty types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layer<const N: usize>(u64);

macro_rules! layers {
    ($($n:literal)*) => {
        fn with(ctx: &Ctx, n: usize, value: u64) -> Ctx {
            match n { $($n => ctx.with_value(Layer::<$n>(value)),)* _ => unreachable!() }
        }

        fn value(ctx: &Ctx, n: usize) -> Option<u64> {
            match n { $($n => ctx.value::<Layer<$n>>().map(|layer| layer.0),)* _ => unreachable!() }
        }
    };
}
layers!(0 1 2 3 4 5 6 7 8 9);

struct Layers {
    ctx: Ctx,
    /// Each canceller with the index of its layer.
    cancellers: Vec<(usize, Canceller)>,
    /// Every layer's context, outermost first.
    all: Vec<Ctx>,
    values: [Option<u64>; 10],
    deadline: Option<Instant>,
}

fn build(seed: u64) -> Layers {
    let mut rng = Rng::new(seed);
    let mut layers = Layers {
        ctx: root(),
        cancellers: Vec::new(),
        all: Vec::new(),
        values: [None; 10],
        deadline: None,
    };
    for n in 0..30 {
        let outer = &layers.ctx;
        layers.ctx = match rng.below(5) {
            0 => {
                let (ctx, canceller) = outer.with_cancel();
                layers.cancellers.push((n, canceller));
                ctx
            }
            1 => {
                let timeout = secs(10 + rng.below(1_000) as u64);
                let at = Instant::now() + timeout;
                layers.deadline = Some(layers.deadline.map_or(at, |deadline| deadline.min(at)));
                outer.with_timeout(timeout)
            }
            2 => outer.child_span(),
            _ => {
                let (which, value) = (rng.below(10), rng.below(1 << 20) as u64);
                layers.values[which] = Some(value);
                with(outer, which, value)
            }
        };
        layers.all.push(layers.ctx.clone());
    }
    layers
}

fn check_values(layers: &Layers, seed: u64, when: &str) {
    for (n, expected) in layers.values.iter().enumerate() {
        assert_eq!(value(&layers.ctx, n), *expected, "seed {seed}, {when}: value {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_2_thirty_random_layers_deliver_a_cancel_and_keep_their_values() {
    for seed in 0..1_000 {
        let layers = build(seed);
        check_values(&layers, seed, "before");
        assert_eq!(layers.ctx.deadline(), layers.deadline, "seed {seed}");
        let mut done = Box::pin(layers.ctx.done());
        assert!(poll_once(done.as_mut()).is_pending(), "seed {seed}");
        let Some((layer, canceller)) =
            layers.cancellers.get(Rng::new(seed ^ 0xff).below(layers.cancellers.len().max(1)))
        else {
            continue;
        };
        canceller.cancel_with(Cause::Shutdown);
        for (n, ctx) in layers.all.iter().enumerate() {
            assert_eq!(ctx.is_done(), n >= *layer, "seed {seed}: layer {n}, {layer} was cancelled");
        }
        assert_eq!(layers.ctx.cause(), Some(Cause::Shutdown), "seed {seed}");
        assert!(poll_once(done.as_mut()).is_ready(), "seed {seed}");
        check_values(&layers, seed, "after");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_1_thirty_random_layers_deliver_the_earliest_timeout() {
    for seed in 0..1_000 {
        let layers = build(seed);
        let Some(deadline) = layers.deadline else {
            continue;
        };
        advance(deadline - Instant::now() - std::time::Duration::from_nanos(1)).await;
        assert!(!layers.ctx.is_done(), "seed {seed}: early");
        advance(std::time::Duration::from_nanos(1)).await;
        assert_eq!(layers.ctx.cause(), Some(Cause::DeadlineExceeded), "seed {seed}");
        for ctx in &layers.all {
            let due = ctx.deadline().is_some_and(|at| at <= Instant::now());
            assert_eq!(ctx.is_done(), due, "seed {seed}");
        }
        check_values(&layers, seed, "after");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_10_thirty_random_layers_wake_done_at_the_earliest_timeout() {
    for seed in 0..100 {
        let layers = build(seed);
        let Some(deadline) = layers.deadline else {
            continue;
        };
        assert_eq!(layers.ctx.done().await, Cause::DeadlineExceeded, "seed {seed}");
        // tokio's timer counts milliseconds.
        let late = Instant::now() - deadline;
        assert!(late < std::time::Duration::from_millis(1), "seed {seed}: {late:?}");
    }
}
