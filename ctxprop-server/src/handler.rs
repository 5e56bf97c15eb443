//! [`Handler`]: a handler that runs under its context, and what becomes of it when nobody waits any more.

use std::fmt;
use std::future::Future;
use std::ops::DerefMut;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use ctxprop::{Cancelled, Ctx};
use tokio::runtime::Handle;

use crate::in_flight::{InFlight, Told};
use crate::room::Room;

/// The request of a handler, as its layer holds it: an [`InFlight`], and what the protocol adds.
pub trait Request: Send + 'static {
    /// The context that it runs under.
    fn ctx(&self) -> &Ctx;

    /// Runs `f` in its span.
    fn in_span<R>(&self, f: impl FnOnce() -> R) -> R;

    /// Nobody waits for the answer any more.
    fn abandon(&mut self);
}

impl<Q, T> Request for Q
where
    Q: DerefMut<Target = InFlight<T>> + Send + 'static,
    T: Told + 'static,
{
    #[inline]
    fn ctx(&self) -> &Ctx {
        InFlight::ctx(self)
    }

    #[inline]
    fn in_span<R>(&self, f: impl FnOnce() -> R) -> R {
        InFlight::in_span(self, f)
    }

    fn abandon(&mut self) {
        InFlight::abandon(self);
    }
}

/// A handler and its request. Dropped before it is ready, it has the request [abandoned](Request::abandon), and unwinds: then
/// and there, and where that takes a wait, in a task of the root's.
///
/// `B` is the body of its answer, which may lie where it ran: see [`Room`].
pub struct Handler<F: Future + Send + 'static, Q: Request, B: Send + 'static = ()> {
    running: Option<Running<F, Q, B>>,
}

/// Dropped, the handler goes first.
struct Running<F, Q, B> {
    /// Boxed, so that it can move to a task while pinned.
    room: Room<F, B>,
    request: Q,
}

impl<F: Future, Q: Request, B> Running<F, Q, B> {
    /// One poll, in the request's span.
    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<F::Output, Cancelled>> {
        let Running { room, request } = self;
        request.in_span(|| room.poll(cx))
    }
}

/// What a handler gave, its request, and the room that it ran in.
pub type Answered<F, Q, B> = (Result<<F as Future>::Output, Cancelled>, Q, Room<F, B>);

const POLLED_AFTER: &str = "a handler was polled after it was ready";

impl<F: Future + Send + 'static, Q: Request, B: Send + 'static> Handler<F, Q, B> {
    /// What `call` gives, under the context of `request`.
    #[inline]
    pub fn new(request: Q, call: impl FnOnce(&Q) -> F) -> Self {
        let room = Room::new(|| request.ctx().run(call(&request)));
        Handler { running: Some(Running { room, request }) }
    }

    /// What it gave, or the end of its context, and its request, which is no longer its, as its room is.
    ///
    /// While it is polled it is over: a handler that panics is dropped then and there, and its request with it, whoever
    /// catches the panic.
    ///
    /// # Panics
    ///
    /// Polled after it was ready.
    #[inline]
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answered<F, Q, B>> {
        let Some(mut running) = self.running.take() else { panic!("{POLLED_AFTER}") };
        match running.poll(cx) {
            Poll::Ready(done) => Poll::Ready((done, running.request, running.room)),
            Poll::Pending => {
                self.running = Some(running);
                Poll::Pending
            }
        }
    }

    /// Its request, until it is ready.
    pub fn request(&self) -> Option<&Q> {
        self.running.as_ref().map(|running| &running.request)
    }

    /// Answers in its place, as `answer` has it, and has it unwind for this `reason`: in a task of the root's, where its
    /// shields are seen through.
    pub fn leave<R>(
        &mut self,
        reason: &'static str,
        answer: impl FnOnce(&mut Q) -> R,
    ) -> Option<R> {
        let mut running = self.running.take()?;
        let answer = answer(&mut running.request);
        unwind(running, reason);
        Some(answer)
    }
}

impl<F: Future + Send + 'static, Q: Request, B: Send + 'static> Drop for Handler<F, Q, B> {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.leave("unwinding after a disconnect", Q::abandon);
        }
    }
}

/// At once as far as it goes without waiting, since what it holds should not wait for a turn of the runtime's. A handler that
/// waits for a shield, or whose turn this is not, goes on in a task.
#[cold]
fn unwind<F: Future + Send + 'static, Q: Request, B: Send + 'static>(
    mut running: Running<F, Q, B>,
    reason: &'static str,
) {
    // Outside of a runtime, or in one that is going down, nothing can be awaited: it is dropped.
    if Handle::try_current().is_err() {
        return;
    }
    // A panic on top of another one would end the process.
    if !thread::panicking() {
        // As in a task, a panic of the handler's is its own: it is dropped, and the hook has told of it.
        let unwound = panic::catch_unwind(AssertUnwindSafe(move || {
            let mut nobody = Context::from_waker(Waker::noop());
            running.poll(&mut nobody).is_pending().then_some(running)
        }));
        let Ok(Some(waits)) = unwound else { return };
        running = waits;
    }
    let ctx = running.request.ctx().detach(reason);
    drop(ctx.spawn(Unwind(running)));
}

/// A handler whose caller waits no longer: its run ends once it has unwound and its shields are done.
struct Unwind<F, Q, B>(Running<F, Q, B>);

// Nothing in it is pinned in place: what runs is in a box.
impl<F, Q, B> Unpin for Unwind<F, Q, B> {}

impl<F: Future, Q: Request, B> Future for Unwind<F, Q, B> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx).map(drop)
    }
}

impl<F: Future + Send + 'static, Q: Request, B: Send + 'static> fmt::Debug for Handler<F, Q, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Handler");
        if let Some(request) = self.request() {
            out.field("ctx", request.ctx());
        }
        out.finish_non_exhaustive()
    }
}
