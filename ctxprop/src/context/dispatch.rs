//! Calling the callbacks of [`Ctx::on_done`](crate::Ctx::on_done): beside whoever ended the context, never inside the
//! call that did.

use std::fmt;

use tokio::runtime::Handle;
use tracing::Span;

use super::outside;
use crate::end::cause::Cause;

pub(super) type Run = Box<dyn FnOnce(Cause) + Send>;

/// A function to call at the end. Its runtime is in there too: what a context is made of is asked whether it is `Send`
/// for each future that holds one, down to the last type, and tokio's are many.
pub(super) struct Callback(Run);

impl Callback {
    /// `f`, to be called in the runtime and in the `tracing` span that are current here.
    pub(super) fn here(f: impl FnOnce(Cause) + Send + 'static) -> Callback {
        let (span, runtime) = (Span::current(), Handle::try_current().ok());
        Callback(Box::new(move |cause| {
            let run = Box::new(move |cause| span.in_scope(|| f(cause)));
            let call = Call(Some((run, cause)));
            match runtime {
                Some(runtime) => drop(runtime.spawn(async move { call.run() })),
                None => drop(call),
            }
        }))
    }

    /// Calls it in a task of its runtime, or in the thread for those without one.
    pub(super) fn dispatch(self, cause: Cause) {
        (self.0)(cause);
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

/// A call that is due. Dropped unrun, as a runtime that shuts down drops its tasks, it runs in a thread:
/// the end is told once, whatever happens (3.1.7).
struct Call(Option<(Run, Cause)>);

impl Call {
    fn run(mut self) {
        if let Some((run, cause)) = self.0.take() {
            run(cause);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some((run, cause)) = self.0.take() {
            outside::call(run, cause);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::oneshot;
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber, info_span};
    use tracing_core::span::Current;

    use crate::{Background, Ctx};

    /// The one span there is, and how often it is entered.
    #[derive(Clone, Default)]
    struct Entered(Arc<Mutex<(Option<&'static Metadata<'static>>, usize)>>);

    impl Subscriber for Entered {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.name() == "registered"
        }

        fn new_span(&self, span: &Attributes<'_>) -> Id {
            self.0.lock().unwrap().0 = Some(span.metadata());
            Id::from_u64(7)
        }

        fn enter(&self, _: &Id) {
            self.0.lock().unwrap().1 += 1;
        }

        fn exit(&self, _: &Id) {
            self.0.lock().unwrap().1 -= 1;
        }

        fn current_span(&self) -> Current {
            match *self.0.lock().unwrap() {
                (Some(span), 1..) => Current::new(Id::from_u64(7), span),
                _ => Current::none(),
            }
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, _: &Event<'_>) {}
    }

    #[tokio::test]
    async fn a_callback_runs_in_the_span_in_which_it_was_registered() {
        let entered = Entered::default();
        let _default = tracing::subscriber::set_default(entered.clone());
        let (ctx, canceller) = Ctx::background().with_cancel();
        let (tell, told) = oneshot::channel();
        let seen = entered.clone();
        info_span!("registered").in_scope(|| {
            ctx.on_done(move |_| tell.send(seen.0.lock().unwrap().1).unwrap());
        });
        assert_eq!(entered.0.lock().unwrap().1, 0);
        canceller.cancel();
        assert_eq!(told.await.unwrap(), 1);
    }
}
