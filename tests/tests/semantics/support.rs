//! What the tests share: wakers that count, a log, futures that tell when they are polled and dropped.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ctxprop::{Background, Baggage, BaggageError, BaggageMap, BaggageMapBuilder, Cause, Ctx};

pub(crate) fn root() -> Ctx {
    Ctx::background()
}

pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A cause that is equal to itself alone.
pub(crate) fn custom(message: &'static str) -> Cause {
    Cause::from(std::io::Error::other(message))
}

/// A waker that counts how often it was woken.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Wakes>, Waker) {
        let wakes = Arc::new(Wakes::default());
        (Arc::clone(&wakes), Waker::from(wakes))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A waker that calls a function.
pub(crate) fn waker_fn(f: impl Fn() + Send + Sync + 'static) -> Waker {
    struct Call<F>(F);
    impl<F: Fn() + Send + Sync + 'static> Wake for Call<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }
    Waker::from(Arc::new(Call(f)))
}

pub(crate) fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

/// Fails the test instead of hanging for ever: on the paused clock a hang jumps straight to the limit.
pub(crate) async fn no_hang<F: IntoFuture>(future: F) -> F::Output {
    match tokio::time::timeout(secs(1_000_000), future).await {
        Ok(output) => output,
        Err(_) => panic!("hangs: nobody wakes it"),
    }
}

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Notes `what` when it is dropped.
    pub(crate) fn at_drop(&self, what: &'static str) -> AtDrop {
        AtDrop(self.clone(), what)
    }
}

pub(crate) struct AtDrop(Log, &'static str);

impl Drop for AtDrop {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// Never ready; counts its polls.
pub(crate) struct Forever(pub(crate) Arc<AtomicUsize>);

impl Forever {
    pub(crate) fn new() -> (Self, Arc<AtomicUsize>) {
        let polls = Arc::new(AtomicUsize::new(0));
        (Forever(Arc::clone(&polls)), polls)
    }
}

impl Future for Forever {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Poll::Pending
    }
}

/// The name of a context, as a value of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) &'static str);

/// The name of the current context.
pub(crate) fn current_name() -> Option<&'static str> {
    Ctx::try_current().map(|ctx| ctx.value::<Name>().map_or("unnamed", |name| name.0))
}

/// Baggage.
pub(crate) struct Tenant(pub(crate) String);

impl Baggage for Tenant {
    fn from_baggage(map: &BaggageMap) -> Result<Self, BaggageError> {
        let tenant = map.get("tenant").ok_or_else(|| BaggageError::missing("tenant"))?;
        Ok(Tenant(tenant.to_owned()))
    }

    fn to_baggage(&self, out: &mut BaggageMapBuilder) -> Result<(), BaggageError> {
        out.insert("tenant", &self.0).map(drop)
    }
}

/// Seeded random numbers (xorshift64*).
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for n in (1..items.len()).rev() {
            items.swap(n, self.below(n + 1));
        }
    }
}
