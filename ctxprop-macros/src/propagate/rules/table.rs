//! The rules, in one table: what each is called, how hard it is, what breaks it, what to say and what to write instead. The
//! table of the messages page and the lines for `clippy.toml` are made of it (`tests.rs` beside this file).
//!
//! What a path does not tell is asked of types, by `ctxprop::questions`: which trait of the core each rule demands, and which
//! functions and modules are asked for, is here too; the messages of those questions are at the traits.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    DetachedContext,
    DetachedTask,
    BareClient,
    BlockingCall,
    StaticTimeout,
    UnusedContext,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Warning,
}

#[cfg_attr(not(test), allow(dead_code, reason = "pages are made of some, by a test"))]
pub(super) struct Entry {
    pub(super) rule: Rule,
    /// As `allow(..)` has it. Messages write it with dashes.
    pub(super) name: &'static str,
    pub(super) level: Level,
    /// What is said of a call, behind its path.
    because: &'static str,
    /// A line more: what to write where the first advice does not fit. `{}` is the first advice.
    or: &'static str,
    /// What breaks it, for the page.
    pub(super) breaks: &'static str,
    /// What to write instead, for the page.
    pub(super) instead: &'static str,
    pub(super) calls: &'static [Call],
    /// The trait of `ctxprop::questions` or `detached` that what is asked by type has to have.
    pub(super) demands: &'static str,
}

/// A function that a rule is about.
#[cfg_attr(not(test), allow(dead_code, reason = "the same"))]
pub(super) struct Call {
    /// Its full path; with `::` at the end, all that is in there.
    pub(super) path: &'static str,
    /// What to use instead, as the message has it.
    instead: &'static str,
    /// The reason in `clippy.toml`, for those that have a line there.
    pub(super) clippy: Option<&'static str>,
}

/// One that the macro knows by its path.
const fn call(path: &'static str, instead: &'static str) -> Call {
    Call { path, instead, clippy: None }
}

/// One that has a line in `clippy.toml` too, under the path that clippy knows it by.
const fn line(path: &'static str, instead: &'static str, reason: &'static str) -> Call {
    Call { path, instead, clippy: Some(reason) }
}

const SPAWN: &str = "`ctx.spawn(..)`";
const SPAWN_BLOCKING: &str = "`ctx.spawn_blocking(|ctx| ..)`";
const CLIENT: &str = "`ctxprop_reqwest::Client`";
const SLEEP: &str = "`tokio::time::sleep(..).await`";
const AWAIT: &str = "`.await`";
const DERIVE: &str = "`Ctx::current()`";

const USE_DERIVE: &str = "derive from the caller's context";
const USE_SPAWN: &str = "use ctx.spawn";
const USE_SPAWN_BLOCKING: &str = "use ctx.spawn_blocking";
const USE_CLIENT: &str = "use ctxprop_reqwest::Client";
const USE_SLEEP: &str = "use tokio::time::sleep";
const USE_AWAIT: &str = "use .await";

pub(super) const TABLE: [Entry; 6] = [
    Entry {
        rule: Rule::DetachedContext,
        name: "detached_context",
        level: Level::Error,
        because: "",
        or: "",
        breaks: "`Ctx::background()`, `Ctx::todo()`, under whatever name",
        instead: "derive from `Ctx::current()`; for work that outlives the request, `detach(\"why\")`",
        calls: &[
            line("ctxprop::Background::background", DERIVE, USE_DERIVE),
            line("ctxprop::Background::todo", DERIVE, USE_DERIVE),
            call("ctxprop::Ctx::background", DERIVE),
            call("ctxprop::Ctx::todo", DERIVE),
            call("Background::background", DERIVE),
            call("Background::todo", DERIVE),
        ],
        demands: "StaysInItsContext",
    },
    Entry {
        rule: Rule::DetachedTask,
        name: "detached_task",
        level: Level::Error,
        because: "leaves the request behind: the task would lose its deadline, cancellation, trace and baggage",
        or: "for work that must outlive the request: {}",
        breaks: "`tokio::spawn`, `spawn_blocking` and `spawn_local`, `std::thread::spawn`, those of async-std, smol and actix",
        instead: "`ctx.spawn(..)`, `ctx.spawn_blocking(..)`; for work that outlives the request, `ctx.detach(\"why\").spawn(..)`",
        calls: &[
            line("tokio::spawn", SPAWN, USE_SPAWN),
            line("tokio::task::spawn_local", SPAWN, USE_SPAWN),
            line("tokio::task::spawn_blocking", SPAWN_BLOCKING, USE_SPAWN_BLOCKING),
            line("tokio::runtime::Handle::spawn", SPAWN, USE_SPAWN),
            line("std::thread::spawn", SPAWN_BLOCKING, USE_SPAWN_BLOCKING),
            call("tokio::task::spawn", SPAWN),
            call("async_std::task::spawn", SPAWN),
            call("async_std::task::spawn_local", SPAWN),
            call("async_std::task::spawn_blocking", SPAWN_BLOCKING),
            call("smol::spawn", SPAWN),
            call("smol::unblock", SPAWN_BLOCKING),
            call("actix_rt::spawn", SPAWN),
            call("actix_web::rt::spawn", SPAWN),
            call("actix_web::web::block", SPAWN_BLOCKING),
        ],
        demands: "StaysInTheRequest",
    },
    Entry {
        rule: Rule::BareClient,
        name: "bare_client",
        level: Level::Error,
        because: "tells the next hop nothing of the request: neither how long it may take nor which trace it belongs to",
        or: "",
        breaks: "`reqwest::get`, a new `reqwest::Client`, all of `reqwest::blocking`",
        instead: "`ctxprop_reqwest::Client`",
        calls: &[
            line("reqwest::get", CLIENT, USE_CLIENT),
            line("reqwest::Client::new", CLIENT, USE_CLIENT),
            line("reqwest::Client::builder", CLIENT, USE_CLIENT),
            line("reqwest::ClientBuilder::new", CLIENT, USE_CLIENT),
            line("reqwest::blocking::get", CLIENT, USE_CLIENT),
            line("reqwest::blocking::Client::new", CLIENT, USE_CLIENT),
            call("reqwest::Client::default", CLIENT),
            call("reqwest::ClientBuilder::default", CLIENT),
            // All that is in it blocks, and sends nothing.
            call("reqwest::blocking::", CLIENT),
        ],
        demands: "",
    },
    Entry {
        rule: Rule::BlockingCall,
        name: "blocking_call",
        level: Level::Error,
        because: "blocks the thread: the end of the context cannot interrupt it",
        or: "for what has to block: `ctx.spawn_blocking(|ctx| ..)`",
        breaks: "`std::thread::sleep`, `block_on` of futures, tokio and others",
        instead: "what is async, `.await`; for what has to block, `ctx.spawn_blocking(..)`",
        calls: &[
            line("std::thread::sleep", SLEEP, USE_SLEEP),
            line("futures::executor::block_on", AWAIT, USE_AWAIT),
            line("tokio::runtime::Handle::block_on", AWAIT, USE_AWAIT),
            line("tokio::runtime::Runtime::block_on", AWAIT, USE_AWAIT),
            call("std::thread::sleep_ms", SLEEP),
            call("futures_executor::block_on", AWAIT),
            call("futures_lite::future::block_on", AWAIT),
            call("async_std::task::block_on", AWAIT),
            call("smol::block_on", AWAIT),
            call("smol::future::block_on", AWAIT),
            call("async_io::block_on", AWAIT),
            call("pollster::block_on", AWAIT),
        ],
        demands: "DoesNotBlock",
    },
    Entry {
        rule: Rule::StaticTimeout,
        name: "static_timeout",
        level: Level::Warning,
        because: "",
        or: "",
        breaks: "`tokio::time::timeout` with a literal duration",
        instead: "`ctx.with_timeout(..).run(..)`, or `budget = \"..\"` on a function",
        calls: &[],
        demands: "",
    },
    Entry {
        rule: Rule::UnusedContext,
        name: "unused_context",
        level: Level::Warning,
        because: "",
        or: "",
        breaks: "a derived context that is bound to a name, and never used",
        instead: "`.with(&ctx)`, `ctx.run(..)`, or the name of the function's parameter",
        calls: &[],
        demands: "",
    },
];

/// Functions of modules that are called by the module's name: the module, a type that only it has, the function, the rule, what
/// is asked of the type.
pub(super) const OF_MODULES: &[(&str, &str, &str, Rule, &str)] = &[
    ("thread", "AccessError", "spawn", Rule::DetachedTask, "spawn_blocking"),
    ("thread", "AccessError", "sleep", Rule::BlockingCall, "sleep"),
    ("task", "LocalEnterGuard", "spawn", Rule::DetachedTask, "spawn"),
    ("task", "LocalEnterGuard", "spawn_local", Rule::DetachedTask, "spawn"),
    ("task", "LocalEnterGuard", "spawn_blocking", Rule::DetachedTask, "spawn_blocking"),
];

impl Rule {
    pub(crate) const ALL: [Rule; 6] = [
        Rule::DetachedContext,
        Rule::DetachedTask,
        Rule::BareClient,
        Rule::BlockingCall,
        Rule::StaticTimeout,
        Rule::UnusedContext,
    ];

    pub(super) fn entry(self) -> &'static Entry {
        &TABLE[self as usize]
    }

    pub(crate) fn name(self) -> &'static str {
        self.entry().name
    }
}

impl Entry {
    /// As messages have it.
    pub(super) fn label(&self) -> String {
        self.name.replace('_', "-")
    }

    fn call(&self, name: &str) -> Option<&Call> {
        let is = |call: &&Call| {
            name == call.path || call.path.ends_with("::") && name.starts_with(call.path)
        };
        self.calls.iter().find(is)
    }

    /// What to say of a call of `name`.
    fn message(&self, name: &str, call: &Call) -> String {
        let Entry { because, or, .. } = self;
        let (label, rule) = (self.label(), self.name);
        let escape = format!(
            "`#[propagate(allow({rule}, reason = \"..\"))]` on the function or the statement"
        );
        let instead = call.instead;
        if self.rule == Rule::DetachedContext {
            return format!(
                "[{label}] a new root context inside `#[propagate]`\n  it would start without the caller's deadline, \
                 cancellation, trace and baggage\n  derive from `Ctx::current()` instead\n  for work that must outlive the \
                 request: `Ctx::current().detach(\"why\")`\n  if a new root is meant: {escape}"
            );
        }
        let advice = match self.rule {
            Rule::DetachedTask => {
                format!("{instead}, where `ctx` is the function's context or `Ctx::current()`")
            }
            Rule::BareClient => format!("{instead}, which is made and called as reqwest's"),
            _ => instead.to_owned(),
        };
        let later = instead.replacen("ctx.", "ctx.detach(\"why\").", 1);
        let or = match or.is_empty() {
            true => String::new(),
            false => format!("\n  {}", or.replace("{}", &later)),
        };
        format!(
            "[{label}] `{name}` {because}\n  use {advice}{or}\n  if it is right as it is: {escape}"
        )
    }
}

/// The rule that naming `name` breaks, and what to say.
pub(super) fn message(name: &str) -> Option<(Rule, String)> {
    TABLE.iter().find_map(|entry| {
        let call = entry.call(name)?;
        Some((entry.rule, entry.message(name, call)))
    })
}
