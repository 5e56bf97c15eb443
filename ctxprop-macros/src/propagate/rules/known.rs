//! The functions that a body must not call, by their full path, each with what to write instead.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

use super::{Rule, is_punct};

const DETACHED_CONTEXTS: &[&str] = &[
    "ctxprop::Ctx::background",
    "ctxprop::Ctx::todo",
    "ctxprop::Background::background",
    "ctxprop::Background::todo",
    "Background::background",
    "Background::todo",
];

const SPAWN: &str = "spawn(..)";
const SPAWN_BLOCKING: &str = "spawn_blocking(|ctx| ..)";

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

const BARE_CLIENTS: &[&str] = &[
    "reqwest::get",
    "reqwest::Client::new",
    "reqwest::Client::builder",
    "reqwest::Client::default",
    "reqwest::ClientBuilder::new",
    "reqwest::ClientBuilder::default",
];

/// All that is in it blocks, and sends nothing.
const BARE_AND_BLOCKING: &str = "reqwest::blocking::";

const SLEEP: &str = "`tokio::time::sleep(..).await`";
const AWAIT: &str = "`.await`";

const BLOCKING_CALLS: &[(&str, &str)] = &[
    ("std::thread::sleep", SLEEP),
    ("std::thread::sleep_ms", SLEEP),
    ("futures::executor::block_on", AWAIT),
    ("futures_executor::block_on", AWAIT),
    ("futures_lite::future::block_on", AWAIT),
    ("tokio::runtime::Handle::block_on", AWAIT),
    ("tokio::runtime::Runtime::block_on", AWAIT),
    ("async_std::task::block_on", AWAIT),
    ("smol::block_on", AWAIT),
    ("smol::future::block_on", AWAIT),
    ("async_io::block_on", AWAIT),
    ("pollster::block_on", AWAIT),
];

/// The rule that naming `name` breaks, and what to say.
pub(super) fn message(name: &str) -> Option<(Rule, String)> {
    let instead = |table: &'static [(&str, &'static str)]| {
        table.iter().find(|(known, _)| *known == name).map(|(_, instead)| *instead)
    };
    if DETACHED_CONTEXTS.contains(&name) {
        return Some((
            Rule::DetachedContext,
            "[detached-context] a new root context inside `#[propagate]`\n  \
             it would start without the caller's deadline, cancellation, trace and baggage\n  \
             derive from `Ctx::current()` instead\n  \
             for work that must outlive the request: `Ctx::current().detach(\"why\")`\n  \
             if a new root is meant: `#[propagate(allow(detached_context, reason = \"..\"))]` on the function or the \
             statement"
                .to_owned(),
        ));
    }
    if let Some(instead) = instead(DETACHED_TASKS) {
        let message = format!(
            "`{name}` leaves the request behind: the task would lose its deadline, cancellation, trace and baggage\n  \
             use `ctx.{instead}`, where `ctx` is the function's context or `Ctx::current()`\n  \
             for work that must outlive the request: `ctx.detach(\"why\").{instead}`"
        );
        return Some(broken(Rule::DetachedTask, "detached-task", &message));
    }
    if BARE_CLIENTS.contains(&name) || name.starts_with(BARE_AND_BLOCKING) {
        let message = format!(
            "`{name}` tells the next hop nothing of the request: neither how long it may take nor which trace it \
             belongs to\n  \
             use `ctxprop_reqwest::Client`, which is made and called as reqwest's"
        );
        return Some(broken(Rule::BareClient, "bare-client", &message));
    }
    if let Some(instead) = instead(BLOCKING_CALLS) {
        let message = format!(
            "`{name}` blocks the thread: the end of the context cannot interrupt it\n  \
             use {instead}\n  \
             for what has to block: `ctx.spawn_blocking(|ctx| ..)`"
        );
        return Some(broken(Rule::BlockingCall, "blocking-call", &message));
    }
    None
}

fn broken(rule: Rule, label: &str, message: &str) -> (Rule, String) {
    let name = rule.name();
    let escape = format!(
        "if it is right as it is: `#[propagate(allow({name}, reason = \"..\"))]` on the function or the statement"
    );
    (rule, format!("[{label}] {message}\n  {escape}"))
}

/// The calls in `tokens` that break a rule: the path, the rule, what to say.
pub(super) fn calls(tokens: &TokenStream) -> Vec<(TokenStream, Rule, String)> {
    let mut found = Vec::new();
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Group(group) => found.extend(calls(&group.stream())),
            TokenTree::Ident(_) => {
                let start = at;
                let mut name = token.to_string();
                while let Some(next) = next_of_path(&tokens, at) {
                    name = format!("{name}::{next}");
                    at += 3;
                }
                let follows = tokens.get(at + 1);
                let called = matches!(follows, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
                if let Some((rule, message)) = message(&name).filter(|_| called) {
                    let path = tokens.get(start..=at).unwrap_or_default();
                    let path = path.iter().map(ToTokens::to_token_stream).collect();
                    found.push((path, rule, message));
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The name behind the `::` behind the name at `at`.
fn next_of_path(tokens: &[TokenTree], at: usize) -> Option<String> {
    if !is_punct(tokens.get(at + 1), ':') || !is_punct(tokens.get(at + 2), ':') {
        return None;
    }
    match tokens.get(at + 3) {
        Some(TokenTree::Ident(name)) => Some(name.to_string()),
        _ => None,
    }
}
