//! From what is polled to what is told of it: the chain of awaits, with the names of functions and types, and places.

use std::panic::Location;

use ctxprop::observe::{self, ObservedKind};

use crate::entry::Pending;
use crate::model::{Await, Budget, End, Place};

pub(crate) fn place(place: &Location<'_>) -> Place {
    Place { file: place.file().to_owned(), line: place.line() }
}

/// Who ended a context, where that says anything.
pub(crate) fn by(at: Option<&Location<'_>>) -> Option<Place> {
    at.filter(|at| !is_ours(at.file())).map(place)
}

/// Whether it is a place of these crates: that a request's layer ends it says nothing which its cause does not.
fn is_ours(file: &str) -> bool {
    const OURS: [&str; 5] =
        ["ctxprop", "ctxprop-axum", "ctxprop-server", "ctxprop-tonic", "ctxprop-sqlx"];
    let folder = file.rsplit_once("/src/").map_or("", |(folder, _)| folder);
    let folder = folder.rsplit('/').next().unwrap_or_default();
    // As it is in the repository, and as it is in a registry: with a version.
    let name = folder
        .rsplit_once('-')
        .filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()));
    OURS.contains(&name.map_or(folder, |(name, _)| name))
}

/// The path of the function that a type belongs to, if it belongs to one.
fn path(what: &str) -> Option<&str> {
    // A handler that does not name its context is inside of this.
    match what.split_once("ctxprop_axum::handler::CtxHandler<") {
        Some((_, handler)) => handler.split(['>', '<']).next(),
        None => observe::function(what),
    }
}

/// The path of a function, or the type of a future without what wraps it.
pub(crate) fn function(what: &str) -> String {
    match path(what) {
        Some(path) => path.to_owned(),
        None => plain(what),
    }
}

/// The longest name of a type that is told.
const LONGEST: usize = 100;

/// The name of a type. Where it holds others, each without its path.
fn plain(what: &str) -> String {
    let what = what.replace("::{{closure}}", "");
    let what = if what.contains('<') { without_paths(&what) } else { what };
    match what.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}..", &what[..end]),
        None => what,
    }
}

fn without_paths(what: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut out = String::with_capacity(what.len());
    let mut rest = what;
    while !rest.is_empty() {
        let name = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let (path, behind) = rest.split_at(name);
        out.push_str(path.rsplit("::").next().unwrap_or(path));
        let next = behind.find(is_name).unwrap_or(behind.len());
        let (between, behind) = behind.split_at(next);
        out.push_str(between);
        rest = behind;
    }
    out
}

/// From what is polled to what is awaited: what only wraps is left out, and says in which function the rest stands, and under
/// which budget.
pub(crate) fn awaits(unit: &str, own: Option<Budget>, picture: &[Pending], now: u64) -> Vec<Await> {
    let mut told: Vec<Await> = Vec::with_capacity(picture.len());
    let mut around: Vec<Around<'_>> = Vec::new();
    for pending in picture {
        while around.last().is_some_and(|around| around.at >= pending.depth) {
            around.pop();
        }
        let depth = around.last().map_or(0, |around| around.depth);
        let limit = pending.limit.map(|(granted_ms, deadline)| Budget { granted_ms, deadline });
        let is_told = match pending.kind {
            ObservedKind::Leaf | ObservedKind::Await | ObservedKind::Part => true,
            // The await of a shield is the one before it.
            ObservedKind::Shield => match told.last_mut().filter(|last| last.depth + 1 == depth) {
                Some(last) => {
                    last.shield = limit;
                    last.what = function(pending.what);
                    false
                }
                None => true,
            },
            _ => false,
        };
        let is_scope = pending.limit.is_some() && pending.kind != ObservedKind::Shield;
        if is_told {
            let inside = around.iter().rev().find_map(|around| path(around.what));
            // The scopes since the await around.
            let scopes = around.iter_mut().rev().take_while(|around| !around.is_told);
            let (mut budget, mut end) = (None, None);
            for scope in scopes {
                budget = budget.or(scope.budget.take());
                end = end.or(scope.end.take());
            }
            told.push(Await {
                depth,
                function: inside.or_else(|| path(unit)).unwrap_or_default().to_owned(),
                what: function(pending.what),
                place: place(pending.place),
                since: pending.since,
                shield: limit.filter(|_| pending.kind == ObservedKind::Shield),
                budget,
                end,
            });
        }
        let outer = around.iter().rev().find_map(|around| around.limit).or(own);
        let narrower =
            limit.filter(|limit| outer.is_none_or(|outer| limit.deadline < outer.deadline));
        around.push(Around {
            at: pending.depth,
            depth: depth + u16::from(is_told),
            what: pending.what,
            is_told,
            limit: limit.or(outer),
            budget: narrower.filter(|_| is_scope),
            end: seen(pending)
                .or_else(|| narrower.filter(|_| is_scope).and_then(|it| passed(it.deadline, now))),
        });
    }
    told
}

/// What is around an await.
struct Around<'a> {
    /// Its depth in the picture, and of what is inside in what is told.
    at: u16,
    depth: u16,
    what: &'a str,
    is_told: bool,
    limit: Option<Budget>,
    /// What is told with the first await inside.
    budget: Option<Budget>,
    end: Option<End>,
}

fn seen(pending: &Pending) -> Option<End> {
    let seen = pending.end?;
    Some(End { cause: seen.cause.to_owned(), at: seen.at, by: by(seen.by) })
}

/// A deadline that has passed, whether or not anybody has seen it.
pub(crate) fn passed(deadline: u64, now: u64) -> Option<End> {
    let cause = ctxprop::Cause::DeadlineExceeded.as_str().to_owned();
    (deadline <= now).then_some(End { cause, at: deadline, by: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_without_paths_where_they_hold_others() {
        let boxed = "core::pin::Pin<alloc::boxed::Box<dyn core::future::future::Future<Output = ()> + core::marker::Send>>";
        assert_eq!(function(boxed), "Pin<Box<dyn Future<Output = ()> + Send>>");
        assert_eq!(function("tokio::time::sleep::Sleep"), "tokio::time::sleep::Sleep");
        assert_eq!(function("shop::stock::reserve::{{closure}}"), "shop::stock::reserve");
        let handler = "ctxprop::run::leaf::Backstop<<ctxprop_axum::handler::CtxHandler<shop::search> as axum::handler::Handler<((),), ()>>::call::{{closure}}>";
        assert_eq!(function(handler), "shop::search");
        assert!(function(&"a<".repeat(500)).len() < 110);
    }

    #[test]
    fn places_of_these_crates_are_known_wherever_they_lie() {
        let registry = "/home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        assert!(is_ours("ctxprop-axum/src/serve/server.rs"));
        assert!(is_ours(&format!("{registry}/ctxprop-server-0.1.0/src/policy.rs")));
        assert!(is_ours(&format!("{registry}/ctxprop-0.1.0/src/run/task.rs")));
        for theirs in ["src/main.rs", "shop/src/cart.rs", "ctxprop-live/tests/stuck.rs"] {
            assert!(!is_ours(theirs), "{theirs}");
        }
    }
}
