//! The rules of `#[propagate]`: what a body must not call, and what the message says.
//!
//! Only full known paths are matched by name. A name that a user could own (`my::spawn`, a method `spawn`, a
//! `Ctx` of another crate) never fires; `detached-context` is asked by type, in `rewrite.rs`.

use proc_macro2::Ident;
use syn::{Error, Path};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    DetachedContext,
    DetachedTask,
}

impl Rule {
    /// The rule that `allow(..)` names.
    pub(crate) fn named(name: &Ident) -> syn::Result<Rule> {
        match name.to_string().as_str() {
            "detached_context" => Ok(Rule::DetachedContext),
            "detached_task" => Ok(Rule::DetachedTask),
            _ => Err(Error::new(
                name.span(),
                format_args!(
                    "unknown rule `{name}`: expected `detached_context` or `detached_task`"
                ),
            )),
        }
    }
}

/// Functions that start work without the context, each with what to write instead.
const DETACHED_TASKS: &[(&str, &str)] = &[
    ("tokio::spawn", SPAWN),
    ("tokio::task::spawn", SPAWN),
    ("tokio::task::spawn_local", SPAWN),
    ("tokio::task::spawn_blocking", SPAWN_BLOCKING),
    ("std::thread::spawn", SPAWN_BLOCKING),
    ("async_std::task::spawn", SPAWN),
    ("async_std::task::spawn_local", SPAWN),
    ("async_std::task::spawn_blocking", SPAWN_BLOCKING),
    ("smol::spawn", SPAWN),
    ("smol::unblock", SPAWN_BLOCKING),
    ("actix_rt::spawn", SPAWN),
    ("actix_web::rt::spawn", SPAWN),
    ("actix_web::web::block", SPAWN_BLOCKING),
];

const SPAWN: &str = "spawn";
const SPAWN_BLOCKING: &str = "spawn_blocking";

/// Functions that make a root by their full path. Through any other path it is asked by type.
const DETACHED_CONTEXTS: &[&str] = &[
    "ctxprop::Ctx::background",
    "ctxprop::Ctx::todo",
    "ctxprop::Background::background",
    "ctxprop::Background::todo",
    "Background::background",
    "Background::todo",
];

/// What is wrong with naming `path` in a body, if anything is.
pub(crate) fn check(path: &Path, allowed: &[Rule]) -> Option<String> {
    let name = plain(path)?;
    if !allowed.contains(&Rule::DetachedTask)
        && let Some((_, instead)) = DETACHED_TASKS.iter().find(|(known, _)| *known == name)
    {
        return Some(format!(
            "[detached-task] `{name}` leaves the request behind: the task would lose its deadline, cancellation, \
             trace and baggage\n  use `ctx.{instead}(..)`, where `ctx` is the function's context or \
             `Ctx::current()`\n  for work that must outlive the request: `ctx.detach(\"why\").{instead}(..)`\n  \
             if it is right as it is: `#[propagate(allow(detached_task, reason = \"..\"))]`"
        ));
    }
    if !allowed.contains(&Rule::DetachedContext) && DETACHED_CONTEXTS.contains(&name.as_str()) {
        return Some(
            "[detached-context] a new root context inside `#[propagate]`\n  it would start without the caller's \
             deadline, cancellation, trace and baggage\n  derive from `Ctx::current()` instead\n  \
             for work that must outlive the request: `Ctx::current().detach(\"why\")`\n  \
             if a new root is meant: `#[propagate(allow(detached_context, reason = \"..\"))]`"
                .to_owned(),
        );
    }
    None
}

/// Whether the last segment is one of the names that make a root.
pub(crate) fn may_make_a_root(path: &Path) -> bool {
    path.segments.last().is_some_and(|last| last.ident == "background" || last.ident == "todo")
}

/// `a::b::c`, without a leading `::` and without generics, unless it is a single name.
fn plain(path: &Path) -> Option<String> {
    if path.segments.len() < 2 {
        return None;
    }
    let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    Some(names.join("::"))
}
