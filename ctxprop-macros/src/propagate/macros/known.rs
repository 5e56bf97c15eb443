//! The macros whose language is known: only these are looked into. Any other may mean something of its own by an
//! `.await` or a call, as `async_stream::stream!` does, and is left as it was written.
//!
//! A macro is known by its name alone, as it was imported, or behind the name of a crate that has it.

use syn::{Macro, Path};

/// What stands between the delimiters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// Expressions, between commas or as `item; count`.
    Expressions,
    /// `value, pattern if guard`
    Matches,
    /// `future`, or `let name = future; ..`
    Pin,
    /// `tokio::join!` and the like of futures.
    Join,
    /// tokio's or futures', which have different grammars.
    Select,
    FuturesSelect,
    Json,
    /// Fields of `tracing` and `log`.
    Event,
}

use Language::{Event, Expressions, FuturesSelect, Join, Json, Matches, Pin, Select};

const STD: &[&str] = &["std", "core", "alloc"];
const RUNTIMES: &[&str] = &["tokio", "futures", "futures_util"];
const FUTURES: &[&str] = &["futures", "futures_util", "futures_lite", "tokio_stream"];
const EVENTS: &[&str] = &["tracing", "log"];
const ERRORS: &[&str] = &["anyhow", "eyre", "color_eyre", "miette", "snafu"];
const SQL: &[&str] = &["sqlx"];

const KNOWN: &[(Language, &[&str], &[&str])] = &[
    (
        Expressions,
        STD,
        &[
            "vec",
            "format",
            "format_args",
            "print",
            "println",
            "eprint",
            "eprintln",
            "write",
            "writeln",
            "dbg",
            "panic",
            "unreachable",
            "todo",
            "unimplemented",
            "ready",
        ],
    ),
    (
        Expressions,
        &["std", "core", "pretty_assertions", "similar_asserts"],
        &["assert", "assert_eq", "assert_ne", "debug_assert", "debug_assert_eq", "debug_assert_ne"],
    ),
    (
        Matches,
        &["std", "core", "assert_matches"],
        &["matches", "assert_matches", "debug_assert_matches"],
    ),
    (
        Pin,
        &["std", "core", "tokio", "futures", "futures_util", "futures_lite"],
        &["pin", "pin_mut"],
    ),
    (Join, RUNTIMES, &["join", "try_join"]),
    (Select, &["tokio"], &["select"]),
    (FuturesSelect, &["futures", "futures_util"], &["select", "select_biased"]),
    (Expressions, FUTURES, &["ready", "stream_select"]),
    (Json, &["serde_json"], &["json"]),
    (
        Event,
        EVENTS,
        &[
            "event",
            "trace",
            "debug",
            "info",
            "warn",
            "error",
            "log",
            "span",
            "trace_span",
            "debug_span",
            "info_span",
            "warn_span",
            "error_span",
        ],
    ),
    (
        Expressions,
        ERRORS,
        &["anyhow", "eyre", "miette", "bail", "ensure", "ensure_whatever", "whatever"],
    ),
    (
        Expressions,
        SQL,
        &[
            "query",
            "query_as",
            "query_scalar",
            "query_unchecked",
            "query_as_unchecked",
            "query_scalar_unchecked",
        ],
    ),
    (Expressions, &["smallvec", "arrayvec", "bytes"], &["smallvec"]),
];

/// The language of `mac`, if it is known.
pub(super) fn language(mac: &Macro) -> Option<Language> {
    let (krate, name) = name(&mac.path)?;
    let of =
        |krates: &[&str]| krate.as_ref().is_none_or(|krate| krates.iter().any(|of| krate == of));
    KNOWN
        .iter()
        .find(|(_, krates, names)| of(krates) && names.iter().any(|known| name == *known))
        .map(|(language, ..)| *language)
}

/// The crate, where it is named, and the macro: modules between them, as in `std::pin::pin`, say nothing.
fn name(path: &Path) -> Option<(Option<String>, String)> {
    let last = path.segments.last()?.ident.to_string();
    let first = path.segments.first().filter(|_| path.segments.len() > 1);
    Some((first.map(|first| first.ident.to_string()), last))
}
