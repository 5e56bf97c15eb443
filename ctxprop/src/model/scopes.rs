//! Scopes that wait, while others end their contexts: each is woken by its end, and by nothing before it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use shuttle::sync::{Mutex, mpsc};
use shuttle::thread;

use super::code::{Count, Flag, block_on, waits};
use super::{check, finds, join, three};
use crate::{Ctx, fault::Fault};

/// Notes that it was woken, which must not be before the end.
struct AtTheEnd {
    ctx: Ctx,
    woken: Flag,
}

impl Wake for AtTheEnd {
    fn wake(self: Arc<Self>) {
        assert!(self.ctx.ended(), "woken before the end");
        self.woken.set();
    }
}

/// Each scope that found no end when it was polled is woken by it, and leaves nothing behind (3.2.2).
fn a_scope_is_woken_by_its_end_alone() {
    let [top, middle, child] = three();
    let ends = [top.1, middle.1].map(|canceller| thread::spawn(move || canceller.cancel()));
    let waits = [(middle.0, 1), (child.0, 2)].map(|(ctx, polls)| {
        thread::spawn(move || {
            let wakes = Arc::new(AtTheEnd { ctx: ctx.clone(), woken: Flag::default() });
            let inner = ctx.with_value(1_u8);
            let mut scope = Box::pin(ctx.run(async move { inner.scope(waits()).await }));
            let waker = Waker::from(Arc::clone(&wakes));
            let mut cx = Context::from_waker(&waker);
            // A second poll that nobody asked for changes nothing.
            let pending = (0..polls).all(|_| scope.as_mut().poll(&mut cx).is_pending());
            drop(waker);
            (wakes, pending.then_some(scope))
        })
    });
    let waits = waits.map(|thread| thread.join().unwrap());
    join(ends.into_iter().collect());
    for (wakes, pending) in waits {
        if let Some(mut scope) = pending {
            assert!(wakes.woken.is_set(), "it waits for ever");
            assert!(scope.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
        assert_eq!(Arc::strong_count(&wakes), 1, "its waker was kept");
    }
}

/// A scope that moves to another thread after a poll is woken there (3.2.2).
fn a_scope_that_moves_is_woken_where_it_is() {
    let [top, _middle, child] = three();
    let (moves, arrives) = mpsc::channel();
    let ctx = child.0.clone();
    join(vec![
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || {
            let mut scope = Box::pin(ctx.run(waits()));
            let polled = scope.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if polled.is_pending() {
                moves.send(scope).unwrap();
            }
        }),
        thread::spawn(move || {
            if let Ok(scope) = arrives.recv() {
                assert_eq!(block_on(scope), Ok(()));
            }
        }),
    ]);
    drop(child);
}

/// Polls what it has when the waker that it gave to that was called, as `FuturesUnordered` does.
struct Queue<F> {
    future: Pin<Box<F>>,
    polled: bool,
    task: Arc<Queued>,
}

/// As its task: a second call of it does nothing while the first is about to put the future into the queue.
#[derive(Default)]
struct Queued {
    begun: Flag,
    queued: Flag,
    outer: Mutex<Option<Waker>>,
}

impl Wake for Queued {
    fn wake(self: Arc<Self>) {
        if !self.begun.sets() {
            return;
        }
        thread::yield_now();
        self.queued.set();
        let outer = self.outer.lock().unwrap().take();
        outer.into_iter().for_each(Waker::wake);
    }
}

impl<F: Future> Future for Queue<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        *self.task.outer.lock().unwrap() = Some(cx.waker().clone());
        if self.task.queued.take() || !std::mem::replace(&mut self.polled, true) {
            self.task.begun.take();
            let waker = Waker::from(Arc::clone(&self.task));
            return self.future.as_mut().poll(&mut Context::from_waker(&waker));
        }
        Poll::Pending
    }
}

/// What has a waker of its own is not given up before that was called, and the call is over (3.2.3, 3.2.27).
fn what_has_wakers_of_its_own_unwinds() {
    let [top, middle, child] = three();
    let mut threads: Vec<_> = [top.1, middle.1]
        .into_iter()
        .map(|canceller| thread::spawn(move || canceller.cancel()))
        .collect();
    let unwound = Count::default();
    for ctx in [child.0.clone(), child.0.with_value(1_u8)] {
        let unwound = unwound.clone();
        threads.push(thread::spawn(move || {
            let begun = Flag::default();
            let before = unwound.clone();
            let inner = ctx.clone();
            let inside = async {
                begun.set();
                waits().await;
                before.add();
            };
            let future = Box::pin(inner.scope(inside));
            let given = block_on(ctx.run(Queue { future, polled: false, task: Arc::default() }));
            assert!(given == Ok(()) || !begun.is_set(), "it was given up, and had begun");
        }));
    }
    join(threads);
}

#[test]
fn every_order_holds() {
    check(&[
        a_scope_is_woken_by_its_end_alone,
        a_scope_that_moves_is_woken_where_it_is,
        what_has_wakers_of_its_own_unwinds,
    ]);
}

#[test]
fn each_planted_fault_is_found() {
    finds(Fault::RegistersAndLooksNoMore, a_scope_is_woken_by_its_end_alone);
    finds(Fault::TellsFirst, a_scope_is_woken_by_its_end_alone);
    finds(Fault::KeepsTheOldWaker, a_scope_that_moves_is_woken_where_it_is);
    finds(Fault::GivesUpBeforeAllAreTold, what_has_wakers_of_its_own_unwinds);
    finds(Fault::ForgetsWhoTellsAgain, what_has_wakers_of_its_own_unwinds);
}
