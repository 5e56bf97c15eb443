//! Tasks that their root knows: what tracks one, and [`Ctx::list_tasks`], which tells what they are.
//!
//! # Invariants
//! 1. A task is on the list of its root until its future was dropped, which is before whoever awaits it hears of its end.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::cause::Cause;
use crate::context::tasks::{Listed, Place};
use crate::ctx::Ctx;
use crate::span::TraceId;

/// As long as it lives, its task is counted and on the list.
pub(crate) struct OnTheList {
    ctx: Ctx,
    place: Option<Place>,
    _counted: Option<TaskTrackerToken>,
}

impl OnTheList {
    pub(crate) fn new(ctx: &Ctx, spawned_at: &'static Location<'static>) -> Self {
        let on = ctx.tasks().map(|tasks| {
            let counted = tasks.tracker().token();
            (tasks.add(Listed { ctx: ctx.clone(), spawned_at }), counted)
        });
        let (place, counted) = on.unzip();
        OnTheList { ctx: ctx.clone(), place, _counted: counted }
    }
}

impl Drop for OnTheList {
    fn drop(&mut self) {
        if let (Some(tasks), Some(place)) = (self.ctx.tasks(), self.place) {
            tasks.remove(place);
        }
    }
}

impl fmt::Debug for OnTheList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnTheList").field(&self.place).finish()
    }
}

pin_project! {
    /// The future of a task that is on the list. In this order: the future goes first.
    #[derive(Debug)]
    pub(crate) struct Tracked<F> {
        #[pin]
        future: F,
        listed: OnTheList,
    }
}

impl<F> Tracked<F> {
    pub(crate) fn new(ctx: &Ctx, spawned_at: &'static Location<'static>, future: F) -> Self {
        Tracked { future, listed: OnTheList::new(ctx, spawned_at) }
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}

/// What is known of a task that has not ended: see [`Ctx::list_tasks`].
#[derive(Clone, Debug)]
pub struct TaskInfo {
    reason: Option<&'static str>,
    spawned_at: &'static Location<'static>,
    trace_id: TraceId,
    cause: Option<Cause>,
}

impl TaskInfo {
    fn new(task: &Listed) -> TaskInfo {
        TaskInfo {
            reason: task.ctx.detached_for(),
            spawned_at: task.spawned_at,
            trace_id: task.ctx.span().trace_id(),
            cause: task.ctx.cause(),
        }
    }

    /// The reason that was given to [`detach`](Ctx::detach), [`detach_until_shutdown`](Ctx::detach_until_shutdown) or
    /// [`shared`](Ctx::shared); `None` where the task is a part of its request, or of the root.
    pub fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    /// Where in the code it was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// Its trace, which is on all its lines of the log; an invalid one where it has none.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// What its context ended with: the task still unwinds, is in a shield, or heeds nothing.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }
}

/// The reason, the place, and the trace if there is one.
impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = self.reason {
            write!(f, "{reason:?}, ")?;
        }
        write!(f, "spawned at {}", self.spawned_at)?;
        if self.trace_id.is_valid() {
            write!(f, ", trace {}", self.trace_id)?;
        }
        Ok(())
    }
}

impl Ctx {
    /// What the tasks are that [`idle`](Ctx::idle) waits for, in no order: to name those that do not end.
    ///
    /// It takes a lock that spawning takes too, and is not for the path of a request. For their number alone there is
    /// [`live_tasks`](Ctx::live_tasks).
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use ctxprop::{Background, Ctx};
    ///
    /// let root = Ctx::background();
    /// let mail = root.child_span().detach("the receipt is mailed").spawn(std::future::pending::<()>());
    /// let tasks = root.list_tasks();
    /// assert_eq!(tasks[0].reason(), Some("the receipt is mailed"));
    /// assert!(tasks[0].to_string().starts_with("\"the receipt is mailed\", spawned at "));
    /// mail.abort();
    /// root.idle().await;
    /// assert!(root.list_tasks().is_empty());
    /// # });
    /// ```
    pub fn list_tasks(&self) -> Vec<TaskInfo> {
        let listed = self.known_tasks().map(|tasks| tasks.list()).unwrap_or_default();
        listed.iter().map(TaskInfo::new).collect()
    }
}
