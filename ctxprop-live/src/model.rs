//! What is told of a process, as data: the JSON of the page, and what the program `ctxprop` reads.
//!
//! Times are Unix time in milliseconds, so that a look which finds nothing new gives the same bytes, and a reader computes
//! "for how long" from [`Snapshot::now`]. New fields may come; the ones that are here stay.

use serde::{Deserialize, Serialize};

/// The number of this schema. It changes where a field goes or changes its meaning.
pub const VERSION: u32 = 1;

/// One look at a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// [`VERSION`] of who wrote it.
    pub version: u32,
    /// When this was looked up.
    pub now: u64,
    /// Which process it is.
    pub process: Process,
    /// How much there is of what.
    pub counts: Counts,
    /// What is live: first what ended more than a second ago and is still there, then the oldest first.
    pub live: Vec<Work>,
    /// The requests that ended last.
    pub recent: Recent,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Process {
    /// The number that the operating system gives it.
    pub pid: u32,
    /// The name of its program.
    pub program: String,
    /// Since when it is looked at. What began before is known from its next poll on.
    pub observed_since: u64,
}

/// How much there is of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Requests.
    pub requests: usize,
    /// Spawned tasks, attached and detached, and blocking code.
    pub tasks: usize,
    /// Active shields.
    pub shields: usize,
    /// What ended more than a second ago and is still there.
    pub leaks: usize,
    /// What the bound on memory kept from being known, since it is looked at.
    pub untracked: u64,
}

/// What kind of work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WorkKind {
    /// A request that came in.
    Request,
    /// A spawned task.
    Task,
    /// Blocking code on a thread of its own.
    Blocking,
    /// Code that runs under a context and is polled by whoever made it.
    Scope,
}

/// How it is with some work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// It waits.
    Waiting,
    /// A thread runs it in this moment. Where that lasts, the code blocks the thread.
    Running,
    /// Its context, or one that it runs under inside of that, has ended and it is still there: it unwinds, a shield holds it, or
    /// it is a leak.
    Ended,
}

/// A request, a task, or whatever else runs under a context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Work {
    /// A number that nothing else in this process had.
    pub id: u64,
    /// Whose work it is part of, where that is live.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent: Option<u64>,
    /// Which kind it is.
    pub kind: WorkKind,
    /// The method and the route of a request, the function that a task runs.
    pub name: String,
    /// How it is with it.
    pub state: State,
    /// When it began, or was first seen.
    pub began: u64,
    /// Where it was spawned or made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<Place>,
    /// Why it was detached from its request, where it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detached: Option<String>,
    /// Where it stands in a trace.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace: Option<Trace>,
    /// How long it may take, where it has a deadline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<Budget>,
    /// How its context ended, or the first one inside of it, where it has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<End>,
    /// Who asks: the keys, and the values that the policy shows.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub baggage: Vec<Entry>,
    /// Since when a thread runs it, where one does in this moment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub running_since: Option<u64>,
    /// What it waits for: each await that is pending, the outer before those inside it. The branches of a join stand one after
    /// the other, at the same depth.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub awaits: Vec<Await>,
}

/// A place in the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Place {
    /// The file, as the compiler was given it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// A place in a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trace {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
}

/// A budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Budget {
    /// What was granted as the deadline was set, in milliseconds.
    pub granted_ms: u64,
    /// When it is over.
    pub deadline: u64,
}

/// An end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct End {
    /// Why, in one word: that of `Cause::as_str`.
    pub cause: String,
    /// When.
    pub at: u64,
    /// Where the code stands that ended it, where code did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<Place>,
}

/// One entry of baggage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Its value, where the policy shows it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
}

/// An await that is pending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Await {
    /// How many awaits are around it.
    pub depth: u16,
    /// The function that it stands in.
    pub function: String,
    /// What is awaited: a function, or a type of future.
    pub what: String,
    /// Where it stands.
    pub place: Place,
    /// Since when it is pending.
    pub since: u64,
    /// The limit of the shield that it is, where it is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shield: Option<Budget>,
    /// The budget from here on inwards, where it is less than around.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<Budget>,
    /// How the context from here on inwards ended, where it has and what is around has not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<End>,
}

/// The requests that ended last, by how they ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recent {
    /// The upper bounds of the buckets in milliseconds; one more bucket has what took longer.
    pub bounds_ms: Vec<u64>,
    /// One for each family.
    pub families: Vec<Family>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum How {
    /// It was through.
    Finished,
    /// Its time was up.
    Deadline,
    /// The client went away.
    Disconnected,
    /// The server shut down.
    Shutdown,
    /// Its handler panicked.
    Panicked,
    /// Something else ended it.
    Cancelled,
}

/// The requests that ended in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Family {
    /// In which.
    pub how: How,
    /// One for each bound, and one for what took longer.
    pub buckets: Vec<Bucket>,
}

/// The requests of one family that took about as long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Bucket {
    /// How many there were.
    pub count: u64,
    /// The last of them, the newest first.
    pub last: Vec<Ended>,
}

/// A request that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ended {
    /// The number it had.
    pub id: u64,
    /// Its method and route.
    pub name: String,
    /// Its trace.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace: Option<Trace>,
    /// When it began.
    pub began: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How long it might have taken.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<Budget>,
    /// How it ended.
    pub end: End,
    /// What it waited for as it ended.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub awaits: Vec<Await>,
}
