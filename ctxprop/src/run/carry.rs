//! What an application takes along into the tasks it spawns, besides its context: [`Carry`].
//!
//! The `tracing` span that is current where a task is spawned is always taken along: its trace id is then on each line.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::ctx::Ctx;

/// Something ambient of another library, such as a Sentry hub or a context of OpenTelemetry, that tasks are to take along.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use std::cell::Cell;
/// use ctxprop::{Background, Carry, Ctx};
///
/// thread_local!(static USER: Cell<u32> = const { Cell::new(0) });
///
/// struct User(u32);
///
/// impl Carry for User {
///     fn capture() -> Self {
///         User(USER.get())
///     }
///
///     fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
///         let outer = USER.replace(self.0);
///         let result = f();
///         USER.set(outer);
///         result
///     }
/// }
///
/// let ctx = Ctx::background().carrying::<User>();
/// USER.set(7);
/// let task = ctx.spawn(async { USER.get() });
/// USER.set(0);
/// assert_eq!(task.await, Ok(7));
/// # });
/// ```
pub trait Carry: Send + Sync + 'static {
    /// What is current where a task is spawned.
    fn capture() -> Self;

    /// Runs `f`, one poll of the task, with it current.
    fn enter<R>(&self, f: impl FnOnce() -> R) -> R;
}

/// The same where its type is not known.
trait Carrier: Send + Sync {
    fn run(&self, f: &mut dyn FnMut());
}

impl<C: Carry> Carrier for C {
    fn run(&self, f: &mut dyn FnMut()) {
        self.enter(f);
    }
}

/// The value of a context that tells what its tasks take along.
#[derive(Clone)]
struct Carries(Arc<[Capture]>);

type Capture = fn() -> Box<dyn Carrier>;

/// What one task takes along.
#[derive(Default)]
pub(crate) struct Carried(Vec<Box<dyn Carrier>>);

impl Carried {
    /// What is current here, of what `ctx` says is to be taken along.
    pub(crate) fn of(ctx: &Ctx) -> Carried {
        let carries = ctx.value::<Carries>().map(|carries| &*carries.0).unwrap_or_default();
        Carried(carries.iter().map(|capture| capture()).collect())
    }

    /// Runs `f` with all of it current.
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        if self.0.is_empty() {
            return f();
        }
        let (mut f, mut result) = (Some(f), None);
        nested(&self.0, &mut || result = f.take().map(|f| f()));
        match result {
            Some(result) => result,
            None => panic!("`Carry::enter` has to call what it is given"),
        }
    }
}

fn nested(carriers: &[Box<dyn Carrier>], f: &mut dyn FnMut()) {
    match carriers {
        [] => f(),
        [first, rest @ ..] => first.run(&mut || nested(rest, f)),
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carried")
    }
}

pin_project! {
    /// A future that is polled with what was carried to it.
    #[derive(Debug)]
    pub(crate) struct WithCarried<F> {
        carried: Carried,
        #[pin]
        future: F,
    }
}

impl<F> WithCarried<F> {
    pub(crate) fn new(ctx: &Ctx, future: F) -> Self {
        WithCarried { carried: Carried::of(ctx), future }
    }
}

impl<F: Future> Future for WithCarried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.carried.enter(|| this.future.poll(cx))
    }
}

impl Ctx {
    /// A child whose tasks, and those of its children, take `C` along: it is captured where they are spawned, and current
    /// whenever they are polled. See [`Carry`].
    #[must_use = "contexts are immutable: the new one carries it"]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn carrying<C: Carry>(&self) -> Ctx {
        let capture: Capture = || Box::new(C::capture());
        let known = self.value::<Carries>().map(|carries| carries.0.to_vec()).unwrap_or_default();
        self.with_value(Carries(known.into_iter().chain([capture]).collect()))
    }
}
