//! What runs while a token is cancelled: wakers, under the locks of tokens above, and the last handles of contexts.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{Background, Ctx};

type Pending = Pin<Box<dyn Future<Output = ()> + Send>>;

/// As an executor that polls where it is woken: what it holds is over then, and is dropped.
struct Drops(Mutex<Option<Pending>>);

impl Wake for Drops {
    fn wake(self: Arc<Self>) {
        let held = self.0.lock().unwrap().take();
        drop(held);
    }
}

/// Has `waits` dropped as it is woken.
fn dropped_where_woken(waits: impl Future<Output = ()> + Send + 'static) {
    let executor = Arc::new(Drops(Mutex::new(None)));
    let mut waits: Pending = Box::pin(waits);
    let waker = Waker::from(Arc::clone(&executor));
    assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    *executor.0.lock().unwrap() = Some(waits);
}

/// Asks as it is dropped for a lock which whoever ends its context holds.
struct Asks(Arc<Mutex<()>>, Sender<()>);

impl Drop for Asks {
    fn drop(&mut self) {
        drop(self.0.lock().unwrap());
        self.1.send(()).unwrap();
    }
}

/// Runs `f` in a thread. What it holds at the end was told of: fails where that is not so in a time in which anything is.
fn told(f: impl FnOnce(Sender<()>) + Send + 'static) {
    let (tell, told): (_, Receiver<()>) = mpsc::channel();
    let thread = thread::spawn(move || f(tell));
    assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok(()), "hangs");
    thread.join().unwrap();
}

// Fails where the waker of a token drops the last handle of the context that it ends: a token of tokio-util up to 0.7.19 holds
// a lock as it wakes what waits for one below.
#[test]
fn the_last_handle_of_what_a_token_ends_goes_outside_of_the_locks_of_who_cancels() {
    told(|tell| {
        let (token, held) = (CancellationToken::new(), Arc::default());
        let ctx = Ctx::background().with_value(Asks(Arc::clone(&held), tell)).with_token(&token);
        dropped_where_woken(async move { drop(ctx.done().await) });
        let _held = held.lock().unwrap();
        token.cancel();
    });
}

// The same where it is the callbacks of a context that have it meanwhile.
#[test]
fn so_does_that_of_a_context_whose_callbacks_are_called() {
    told(|tell| {
        let (parent, canceller) = Ctx::background().with_cancel();
        let held = Arc::default();
        let ctx = parent.with_value(Asks(Arc::clone(&held), tell)).with_cancel().0;
        // First, so that they are called before the token of the parent is cancelled.
        ctx.on_done(|_| {});
        let token = ctx.cancellation_token();
        dropped_where_woken(async move {
            token.cancelled().await;
            drop(ctx);
        });
        let _held = held.lock().unwrap();
        canceller.cancel();
    });
}

// Fails where a second `cancel` finds nothing to do, while the first is about to cancel the token.
#[test]
fn when_cancel_returns_the_token_is_cancelled_whoever_else_is_at_it() {
    for _ in 0..100 {
        let (ctx, canceller) = Ctx::background().with_cancel();
        let token = ctx.cancellation_token();
        // They are called before it is cancelled.
        for _ in 0..100 {
            ctx.on_done(|_| {});
        }
        thread::scope(|scope| {
            scope.spawn(|| canceller.cancel());
            while !ctx.is_done() {
                thread::yield_now();
            }
            canceller.cancel();
            assert!(token.is_cancelled());
        });
    }
}
