//! One look at all that is live: from entries to what is told of them.
//!
//! # Invariants
//! 1. It ends nothing: a deadline that has passed is told, and not recorded.
//! 2. Of baggage it tells what the policy shows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ctxprop::Ctx;
use ctxprop::observe::{self, CtxId, ObservedKind};

use crate::chain::{awaits, by, function, passed, place};
use crate::clock;
use crate::entry::Entry;
use crate::model::{
    Budget, Counts, End, Ended, How, Process, Snapshot, State, Trace, VERSION, Work, WorkKind,
};
use crate::policy::Shown;
use crate::recent;
use crate::watcher::Watcher;

/// All that is live.
pub(crate) fn all(watcher: &Watcher, shown: &Shown, observed_since: u64) -> Snapshot {
    let now = clock::now();
    let entries = watcher.live.all();
    let mut live = works(&entries, shown, now);
    drop(entries);
    live.sort_by_key(|work| (!is_leak(work, now), work.began, work.id));
    let of = |kinds: &[WorkKind]| live.iter().filter(|work| kinds.contains(&work.kind)).count();
    let shields = |work: &Work| work.awaits.iter().filter(|one| one.shield.is_some()).count();
    let counts = Counts {
        requests: of(&[WorkKind::Request]),
        tasks: of(&[WorkKind::Task, WorkKind::Blocking]),
        shields: live.iter().map(shields).sum(),
        leaks: live.iter().filter(|work| is_leak(work, now)).count(),
        untracked: watcher.live.untracked(),
    };
    Snapshot {
        version: VERSION,
        now,
        process: process(observed_since),
        counts,
        live,
        recent: watcher.recent.told(),
    }
}

/// What has ended needs a moment to unwind.
const UNWINDS_MS: u64 = 1_000;

/// Whether it has ended and is still there.
pub(crate) fn is_leak(work: &Work, now: u64) -> bool {
    work.end.as_ref().is_some_and(|end| now.saturating_sub(end.at) > UNWINDS_MS)
}

fn process(observed_since: u64) -> Process {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(|path| path.file_name());
    Process {
        pid: std::process::id(),
        program: program.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        observed_since,
    }
}

fn works(entries: &[Arc<Entry>], shown: &Shown, now: u64) -> Vec<Work> {
    let is_request = |entry: &&Arc<Entry>| entry.kind == ObservedKind::Request;
    let requests: HashMap<CtxId, &Entry> =
        entries.iter().filter(is_request).map(|entry| (CtxId::of(&entry.ctx), &**entry)).collect();
    let live: HashSet<u64> = entries.iter().map(|entry| entry.id).collect();
    let (mut handlers, mut works) = (Vec::new(), Vec::with_capacity(entries.len()));
    for entry in entries {
        let request = request_of(entry, &requests);
        let spawned_in = entry.spawned_in.filter(|id| live.contains(id));
        let work = work(entry, spawned_in.or(request.map(|request| request.id)), shown, now);
        match request {
            // A server's layer polls the handler itself: that is the request.
            Some(request) if is_of(entry, request) => handlers.push((request.id, work)),
            _ => works.push(work),
        }
    }
    let place: HashMap<u64, usize> =
        works.iter().enumerate().map(|(at, work)| (work.id, at)).collect();
    let mut stands_for = HashMap::new();
    for (request, handler) in handlers {
        let Some(request) = place.get(&request).and_then(|at| works.get_mut(*at)) else {
            works.push(handler);
            continue;
        };
        stands_for.insert(handler.id, request.id);
        request.awaits.extend(handler.awaits);
        request.running_since = request.running_since.or(handler.running_since);
        settle(request);
    }
    for work in &mut works {
        work.parent = work.parent.map(|id| stands_for.get(&id).copied().unwrap_or(id));
    }
    works
}

/// Whether it is what the layer of this request polls.
fn is_of(entry: &Entry, request: &Entry) -> bool {
    let same = CtxId::of(&entry.ctx) == CtxId::of(&request.ctx);
    same && !matches!(entry.kind, ObservedKind::Task | ObservedKind::Blocking)
}

/// The request that its context belongs to, or descends from.
fn request_of<'a>(entry: &Entry, requests: &HashMap<CtxId, &'a Entry>) -> Option<&'a Entry> {
    if entry.kind == ObservedKind::Request || requests.is_empty() {
        return None;
    }
    let mut at = Some(entry.ctx.clone());
    while let Some(ctx) = at {
        if let Some(found) = requests.get(&CtxId::of(&ctx)) {
            return Some(found);
        }
        at = observe::parent(&ctx);
    }
    None
}

fn work(entry: &Entry, parent: Option<u64>, shown: &Shown, now: u64) -> Work {
    let ctx = &entry.ctx;
    let kind = match entry.kind {
        ObservedKind::Request => WorkKind::Request,
        ObservedKind::Task => WorkKind::Task,
        ObservedKind::Blocking => WorkKind::Blocking,
        _ => WorkKind::Scope,
    };
    let name = match &entry.name {
        Some(name) => name.to_string(),
        None => function(entry.what),
    };
    let mut work = Work {
        id: entry.id,
        parent,
        kind,
        name,
        state: State::Waiting,
        began: entry.began,
        // Of a request that is a place of the layer.
        place: (kind != WorkKind::Request).then(|| place(entry.place)),
        detached: observe::detached(ctx).map(str::to_owned),
        trace: trace(ctx),
        budget: budget(ctx),
        end: end(ctx, now),
        baggage: shown.of(ctx.baggage_map()),
        running_since: entry.running_since(),
        awaits: awaits(entry.what, budget(ctx), &entry.picture(), now),
    };
    settle(&mut work);
    work
}

/// Once its awaits are known. An end that is its own is told there alone.
fn settle(work: &mut Work) {
    match &work.end {
        Some(own) => {
            let is_own = |end: &End| end.cause == own.cause;
            work.awaits.iter_mut().for_each(|one| drop(one.end.take_if(|end| is_own(end))));
        }
        None => {
            let ends = work.awaits.iter().filter_map(|one| one.end.as_ref());
            work.end = ends.min_by_key(|end| end.at).cloned();
        }
    }
    work.state = match work {
        Work { end: Some(_), .. } => State::Ended,
        Work { running_since: Some(_), .. } => State::Running,
        _ => State::Waiting,
    };
}

/// What is written down of a request that is over.
pub(crate) fn ended(entry: &Entry, how: How) -> Ended {
    let now = clock::now();
    let finished = || End { cause: "finished".to_owned(), at: now, by: None };
    let end = end(&entry.ctx, now).unwrap_or_else(finished);
    // What a request that is through waited for last is of no interest.
    let awaits =
        if how == How::Finished { Vec::new() } else { awaits("", None, &entry.at_the_end(), 0) };
    Ended {
        id: entry.id,
        name: entry.name.as_deref().unwrap_or_default().to_owned(),
        trace: trace(&entry.ctx),
        began: entry.began,
        took_ms: recent::took(entry),
        budget: budget(&entry.ctx),
        end,
        awaits,
    }
}

fn trace(ctx: &Ctx) -> Option<Trace> {
    let span = ctx.span();
    span.is_valid().then(|| Trace {
        trace_id: span.trace_id().to_string(),
        span_id: span.span_id().to_string(),
    })
}

fn budget(ctx: &Ctx) -> Option<Budget> {
    let (granted, deadline) = (observe::granted(ctx)?, ctx.deadline()?);
    Some(Budget { granted_ms: clock::millis(granted), deadline: clock::at(deadline) })
}

fn end(ctx: &Ctx, now: u64) -> Option<End> {
    if let Some(end) = observe::end(ctx) {
        let cause = end.cause.as_str().to_owned();
        return Some(End { cause, at: clock::at(end.at), by: by(end.place) });
    }
    ctx.deadline().and_then(|deadline| passed(clock::at(deadline), now))
}
