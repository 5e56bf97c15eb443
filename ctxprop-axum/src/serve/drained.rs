//! [`Drained`]: what a server leaves behind, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use axum::extract::MatchedPath;
use ctxprop::{Cause, TaskInfo, TraceId};
use http::Method;

use super::exchange::Open;

/// What was left when a server returned from its drain.
///
/// # Examples
///
/// ```no_run
/// # use axum::Router;
/// # async fn run(listener: tokio::net::TcpListener, app: Router) {
/// let drained = ctxprop_axum::serve(listener, app).await;
/// for straggler in drained.stragglers() {
///     eprintln!("left behind: {straggler}"); // GET /orders/{id}, 31.2s, trace 0af7651916cd43dd8448eb211c80319c
/// }
/// for task in drained.tasks() {
///     eprintln!("left behind: {task}"); // "the receipt is mailed", spawned at src/mail.rs:12:9, trace 0af765..
/// }
/// std::process::exit(if drained.is_clean() { 0 } else { 1 });
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "it tells what did not end"]
pub struct Drained {
    pub(super) stragglers: Vec<Straggler>,
    pub(super) tasks: Vec<TaskInfo>,
}

impl Drained {
    /// Whether all requests, sessions and tasks had ended.
    pub fn is_clean(&self) -> bool {
        self.stragglers.is_empty() && self.tasks.is_empty()
    }

    /// The requests and sessions that did not end.
    pub fn stragglers(&self) -> &[Straggler] {
        &self.stragglers
    }

    /// The tasks of the roots that did not end: what was spawned under them, detached or attached. The handlers of clients
    /// that left are among them while they unwind.
    pub fn tasks(&self) -> &[TaskInfo] {
        &self.tasks
    }

    /// One event for each request, and one for all tasks of the same reason and place.
    pub(super) fn warn(&self) {
        self.stragglers.iter().for_each(Straggler::warn);
        let mut alike: BTreeMap<_, (usize, TraceId)> = BTreeMap::new();
        for task in &self.tasks {
            let kind = (task.reason(), task.spawned_at());
            alike.entry(kind).or_insert((0, task.trace_id())).0 += 1;
        }
        for ((reason, spawned_at), (tasks, trace_id)) in alike {
            tracing::warn!(
                target: "ctxprop::serve",
                reason,
                spawned_at = %spawned_at,
                tasks,
                trace_id = trace_id.is_valid().then(|| tracing::field::display(trace_id)),
                "tasks did not end"
            );
        }
    }
}

/// A request, or the session that it was upgraded to, that did not end.
#[derive(Clone, Debug)]
pub struct Straggler {
    method: Method,
    route: Option<MatchedPath>,
    trace_id: TraceId,
    age: Duration,
    cause: Option<Cause>,
}

impl Straggler {
    pub(super) fn new(open: &Open) -> Straggler {
        Straggler {
            method: open.method.clone(),
            route: open.route.clone(),
            trace_id: open.ctx.span().trace_id(),
            age: open.began.elapsed(),
            cause: open.ctx.cause(),
        }
    }

    /// The method of its request.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The route that it matched, such as `/orders/{id}`: `None` where none did, or where the layer is outside of the
    /// router.
    pub fn route(&self) -> Option<&str> {
        self.route.as_ref().map(MatchedPath::as_str)
    }

    /// Its trace, which is in all its lines of the log.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// How long ago it came.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// What its context ended with.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    fn warn(&self) {
        tracing::warn!(
            target: "ctxprop::serve",
            method = %self.method,
            route = self.route(),
            cause = self.cause.as_ref().map(tracing::field::display),
            age = ?self.age,
            trace_id = %self.trace_id,
            "a request did not end"
        );
    }
}

/// The method, the route, the age and the trace.
impl fmt::Display for Straggler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Straggler { method, trace_id, age, .. } = self;
        let route = self.route().unwrap_or("(no route)");
        write!(f, "{method} {route}, {age:.1?}, trace {trace_id}")
    }
}
