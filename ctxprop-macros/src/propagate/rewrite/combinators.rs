//! The functions and methods that are known to take futures, or closures that make them: those of futures, tokio,
//! tokio-stream, tokio-util, async-stream's neighbours and moka. A name that a user's own function shares costs nothing but
//! the compiler's time: what is marked there is asked by its type.

use syn::{Expr, ExprCall, ExprMethodCall, Path};

/// What an argument is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Other,
    Future,
    /// A collection or an iterator of futures.
    Futures,
    /// A function that makes a future of so many arguments.
    Maker(usize),
    /// The same, called once, and later: by somebody else, where this function is over.
    Later(usize),
}

use Takes::{Future, Futures, Later, Maker, Other};

/// What is known of one function or method.
#[derive(Clone, Copy)]
pub(super) struct Combinator {
    pub(super) takes: &'static [Takes],
    /// Whether all else of that name is rare: also the value of a method is then marked, whose type may be told by what
    /// comes later (`row.get("id")`).
    pub(super) sure: bool,
}

const fn sure(takes: &'static [Takes]) -> Combinator {
    Combinator { takes, sure: true }
}

const fn unsure(takes: &'static [Takes]) -> Combinator {
    Combinator { takes, sure: false }
}

/// Functions, by their name or the type that they belong to and their name.
const FUNCTIONS: &[(&[&str], Combinator)] = &[
    (&["timeout", "timeout_at"], sure(&[Other, Future])),
    (&["join_all", "try_join_all", "select_all", "select_ok"], sure(&[Futures])),
    (
        &["FuturesUnordered::from_iter", "FuturesOrdered::from_iter", "JoinSet::from_iter"],
        sure(&[Futures]),
    ),
    (&["Box::pin"], sure(&[Future])),
    (
        &["join", "join3", "join4", "join5", "try_join", "try_join3", "try_join4", "try_join5"],
        unsure(&[Future, Future, Future, Future, Future]),
    ),
    (&["select", "try_select"], unsure(&[Future, Future])),
    (&["stream::once", "maybe_done", "try_maybe_done"], unsure(&[Future])),
    (&["abortable", "Abortable::new", "unconstrained", "poll_immediate"], unsure(&[Future])),
    (&["OptionFuture::from", "Either::Left", "Either::Right"], unsure(&[Future])),
    (&["unfold", "try_unfold"], unsure(&[Other, Maker(1)])),
    (&["retry", "Retry::spawn", "RetryIf::spawn"], unsure(&[Other, Maker(0)])),
];

/// Methods, by their name and how many arguments they have.
const METHODS: &[(&[&str], Combinator)] = &[
    (&["then"], sure(&[Maker(1)])),
    (&["for_each_concurrent", "try_for_each_concurrent"], sure(&[Other, Maker(1)])),
    // `LocalKey::scope`; that of a context takes one
    (&["scope"], sure(&[Other, Future])),
    (&["on_upgrade"], sure(&[Later(1)])),
    (&["take_until", "with_graceful_shutdown", "run_until"], sure(&[Future])),
    (&["run_until_cancelled", "run_until_cancelled_owned"], sure(&[Future])),
];

/// Methods that are meant where their value is awaited: those of the same name of `OnceLock` or `HashMap` give values.
const AWAITED: &[(&[&str], Combinator)] = &[
    (&["get_or_init", "get_or_try_init"], sure(&[Maker(0)])),
    (
        &[
            "get_with",
            "try_get_with",
            "optionally_get_with",
            "get_with_by_ref",
            "try_get_with_by_ref",
        ],
        sure(&[Other, Future]),
    ),
    (&["or_insert_with", "or_try_insert_with", "or_optionally_insert_with"], sure(&[Future])),
    (
        &[
            "and_then",
            "or_else",
            "for_each",
            "try_for_each",
            "filter",
            "try_filter",
            "filter_map",
            "try_filter_map",
            "take_while",
            "try_take_while",
            "skip_while",
            "try_skip_while",
            "any",
            "all",
        ],
        unsure(&[Maker(1)]),
    ),
    (&["fold", "try_fold"], unsure(&[Other, Maker(2)])),
];

/// Methods of streams of futures.
pub(super) const BUFFERS: &[&str] =
    &["buffer_unordered", "buffered", "try_buffer_unordered", "try_buffered"];

/// Methods of futures alone: what they are called on is marked.
const ADAPTORS: &[&str] = &[
    "boxed",
    "boxed_local",
    "catch_unwind",
    "in_current_span",
    "instrument",
    "left_future",
    "now_or_never",
    "right_future",
    "shared",
    "with_subscriber",
];

/// Methods that futures share with others: what they are called on is marked where their value is known as a future.
const SHARED_ADAPTORS: &[&str] = &[
    "and_then",
    "fuse",
    "inspect",
    "inspect_err",
    "inspect_ok",
    "into_future",
    "map",
    "map_err",
    "map_into",
    "map_ok",
    "or_else",
    "then",
    "timeout",
    "unwrap_or_else",
];

/// What iterators and collections of futures go through.
pub(super) const ITERATORS: &[&str] = &[
    "chain",
    "collect",
    "enumerate",
    "filter",
    "into_iter",
    "map",
    "map_err",
    "map_ok",
    "rev",
    "skip",
    "take",
    "zip",
    "filter_map",
    "flat_map",
    "copied",
    "cloned",
    "iter",
    "iter_mut",
    "to_vec",
];

/// Methods of a context: what they are given runs under it, so it is left as it is.
pub(super) const OF_A_CONTEXT: &[&str] = &[
    "defer",
    "in_current",
    "run",
    "scope",
    "shield",
    "spawn",
    "spawn_blocking",
    "spawn_local",
    "timeout",
    "with",
];

/// Functions and methods that give no call, or a type that is told by what comes later.
pub(super) const GIVE_VALUES: &[&str] = &[
    "abort",
    "as_mut",
    "as_ref",
    "borrow",
    "clone",
    "default",
    "drop",
    "exit",
    "expect",
    "forget",
    "from",
    "identity",
    "into",
    "into_inner",
    "lock",
    "max",
    "min",
    "new",
    "parse",
    "product",
    "random",
    "ready",
    "replace",
    "pending",
    "sleep",
    "sleep_until",
    "spawn",
    "spawn_blocking",
    "spawn_local",
    "sum",
    "take",
    "to_owned",
    "to_string",
    "transmute",
    "try_from",
    "try_into",
    "unwrap",
    "unwrap_or",
    "unwrap_or_default",
    "with",
    "in_current",
    "zeroed",
];

/// Crates whose functions give no calls.
const FOREIGN: &[&str] = &[
    "std",
    "core",
    "alloc",
    "tokio",
    "futures",
    "futures_util",
    "serde_json",
    "rand",
    "chrono",
    "uuid",
    "bytes",
    "http",
    "hex",
];

/// What the name of a function has that waits for the end of a process, and so is a future although it takes nothing.
const SIGNALS: &[&str] = &["ctrl_c", "shutdown", "sigint", "signal", "sigterm"];

/// Whether a function of that name gives a future, whatever it is given.
pub(super) fn is_signal(call: &ExprCall) -> bool {
    let Expr::Path(func) = &*call.func else { return false };
    let name = func.path.segments.last().map(|last| last.ident.to_string());
    name.is_some_and(|name| SIGNALS.iter().any(|part| name.contains(part)))
}

pub(super) fn function(call: &ExprCall) -> Option<Combinator> {
    let Expr::Path(func) = &*call.func else { return None };
    let mut names = func.path.segments.iter().rev().map(|segment| segment.ident.to_string());
    let last = names.next()?;
    let of = names.next();
    let known = find(FUNCTIONS, |known| match known.split_once("::") {
        Some((ty, name)) => name == last && of.as_deref() == Some(ty),
        None => known == last,
    })?;
    fits(known, call.args.len())
}

pub(super) fn method(call: &ExprMethodCall, awaited: bool) -> Option<Combinator> {
    let name = call.method.to_string();
    let known = find(METHODS, |known| known == name)
        .or_else(|| find(AWAITED, |known| known == name).filter(|_| awaited))?;
    fits(known, call.args.len())
}

fn find(table: &[(&[&str], Combinator)], is: impl Fn(&str) -> bool) -> Option<Combinator> {
    table.iter().find(|(names, _)| names.iter().any(|name| is(name))).map(|(_, known)| *known)
}

/// As many arguments as it takes; of futures, as many as there are.
fn fits(known: Combinator, arguments: usize) -> Option<Combinator> {
    let several = known.takes.iter().all(|takes| *takes == Future);
    (arguments == known.takes.len() || several && arguments <= known.takes.len()).then_some(known)
}

pub(super) fn is_adaptor(name: &str, known_as_a_future: bool) -> bool {
    ADAPTORS.contains(&name) || known_as_a_future && SHARED_ADAPTORS.contains(&name)
}

/// Whether a function of this path may be one of ours. `surely` says that it gives a future.
pub(super) fn may_be_ours(path: &Path, surely: bool) -> bool {
    let (Some(first), Some(last)) = (path.segments.first(), path.segments.last()) else {
        return false;
    };
    let name = last.ident.to_string();
    let foreign = path.segments.len() > 1 && FOREIGN.iter().any(|name| first.ident == name);
    !foreign
        && name.starts_with(|first: char| !first.is_uppercase())
        && (surely && name == "new" || !GIVE_VALUES.contains(&name.as_str()))
}
