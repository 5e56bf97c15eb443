//! [`Room`]: the piece of memory that a handler runs in, and in which the body of its answer lies after that: an allocation
//! less, and one that is at hand.

use std::fmt;
use std::future::{Future, Ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use ctxprop::{Cancelled, Run};
use pin_project_lite::pin_project;

/// What is larger is given back when the handler is over: a body may last.
const LARGEST: usize = 2_048;

/// Where a handler `F` runs. A body `B` may lie there after that.
pub struct Room<F, B> {
    stage: Pin<Box<Stage<F, B>>>,
}

pin_project! {
    #[project = StageProjected]
    enum Stage<F, B> {
        Runs { #[pin] run: Run<F> },
        Lies { #[pin] body: B },
    }
}

impl<F: Future, B> Room<F, B> {
    /// The place first, so that what runs is moved once on its way there.
    #[inline]
    pub(crate) fn new(run: impl FnOnce() -> Run<F>) -> Self {
        let place = Box::<Stage<F, B>>::new_uninit();
        Room { stage: Box::into_pin(Box::write(place, Stage::Runs { run: run() })) }
    }

    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<F::Output, Cancelled>> {
        match self.stage.as_mut().project() {
            StageProjected::Runs { run } => run.poll(cx),
            StageProjected::Lies { .. } => panic!("a handler was polled after it was ready"),
        }
    }
}

impl<F: Send + 'static, B: Send + 'static> Room<F, B> {
    /// What ran in it is dropped, and `body` lies there.
    #[inline]
    pub fn put(mut self, body: B) -> Lodged<B> {
        if size_of::<Stage<F, B>>() > LARGEST {
            return Lodged(Box::pin(Stage::<Ready<()>, B>::Lies { body }));
        }
        self.stage.set(Stage::Lies { body });
        Lodged(self.stage)
    }
}

impl<F, B> fmt::Debug for Room<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").finish_non_exhaustive()
    }
}

/// A body that lies in the room of the handler that made it.
pub struct Lodged<B>(Pin<Box<dyn Lies<B> + Send>>);

impl<B> Lodged<B> {
    /// To poll it.
    #[inline]
    pub fn pinned(&mut self) -> Option<Pin<&mut B>> {
        self.0.as_mut().pinned()
    }

    /// To look at it.
    #[inline]
    pub fn get(&self) -> Option<&B> {
        self.0.get()
    }
}

impl<B> fmt::Debug for Lodged<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lodged").finish_non_exhaustive()
    }
}

/// A room of which nobody needs to know what ran there.
trait Lies<B> {
    fn pinned(self: Pin<&mut Self>) -> Option<Pin<&mut B>>;

    fn get(&self) -> Option<&B>;
}

impl<F, B> Lies<B> for Stage<F, B> {
    fn pinned(self: Pin<&mut Self>) -> Option<Pin<&mut B>> {
        match self.project() {
            StageProjected::Lies { body } => Some(body),
            StageProjected::Runs { .. } => None,
        }
    }

    fn get(&self) -> Option<&B> {
        match self {
            Stage::Lies { body } => Some(body),
            Stage::Runs { .. } => None,
        }
    }
}
