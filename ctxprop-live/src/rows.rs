//! What the page lists: one row for each piece of work that is part of no other, and the tree below it when it is opened.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::look;
use crate::model::{Await, Budget, End, Snapshot, State, Work, WorkKind};

/// One row. What has not changed since the last look is equal to what it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) id: u64,
    kind: WorkKind,
    name: String,
    state: State,
    began: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<Budget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detached: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running_since: Option<u64>,
    /// What keeps it: of its innermost awaits, the one that has been pending longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<Await>,
    /// Below it.
    below: usize,
    shields: usize,
    /// What is below it, has ended and is still there.
    leaks: usize,
}

/// A row that was opened: what it is, and all that is below.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Tree {
    now: u64,
    works: Vec<Work>,
}

/// The innermost await that has been pending longest.
pub(crate) fn waits(awaits: &[Await]) -> Option<&Await> {
    let inner = awaits
        .iter()
        .enumerate()
        .filter(|(at, one)| awaits.get(at + 1).is_none_or(|next| next.depth <= one.depth));
    inner.map(|(_, one)| one).min_by_key(|one| one.since)
}

/// The piece of work at the top of each.
fn tops(live: &[Work]) -> HashMap<u64, u64> {
    let parents: HashMap<u64, Option<u64>> =
        live.iter().map(|work| (work.id, work.parent)).collect();
    let top = |id: u64| {
        let mut at = id;
        // A parent is above by its context, so there is no ring; the bound is for whoever reads this in doubt.
        for _ in 0..parents.len() {
            match parents.get(&at) {
                Some(Some(parent)) if parents.contains_key(parent) => at = *parent,
                _ => break,
            }
        }
        at
    };
    parents.keys().map(|id| (*id, top(*id))).collect()
}

pub(crate) fn rows(snapshot: &Snapshot) -> Vec<Row> {
    let tops = tops(&snapshot.live);
    let mut below: HashMap<u64, (usize, usize, usize)> = HashMap::new();
    for work in &snapshot.live {
        let top = tops.get(&work.id).copied().unwrap_or(work.id);
        let (count, shields, leaks) = below.entry(top).or_default();
        *shields += work.awaits.iter().filter(|one| one.shield.is_some()).count();
        if top != work.id {
            *count += 1;
            *leaks += usize::from(look::is_leak(work, snapshot.now));
        }
    }
    let is_top = |work: &&Work| tops.get(&work.id) == Some(&work.id);
    let row = |work: &Work| {
        let (count, shields, leaks) = below.get(&work.id).copied().unwrap_or_default();
        Row {
            id: work.id,
            kind: work.kind,
            name: work.name.clone(),
            state: work.state,
            began: work.began,
            trace: work.trace.as_ref().map(|trace| trace.trace_id.clone()),
            budget: work.budget,
            end: work.end.clone(),
            detached: work.detached.clone(),
            running_since: work.running_since,
            waits: waits(&work.awaits).cloned(),
            below: count,
            shields,
            leaks,
        }
    };
    snapshot.live.iter().filter(is_top).map(row).collect()
}

/// All that is under the same top as `id`.
pub(crate) fn tree(snapshot: Snapshot, id: u64) -> Option<Tree> {
    let tops = tops(&snapshot.live);
    let top = tops.get(&id)?;
    let ids: HashSet<u64> = tops.iter().filter(|(_, of)| *of == top).map(|(id, _)| *id).collect();
    let works = snapshot.live.into_iter().filter(|work| ids.contains(&work.id)).collect();
    Some(Tree { now: snapshot.now, works })
}
