//! Which context a call gets, by where it stands.

use crate::edit::{Edit, indent};
use crate::index::{BlockKind, Function, is_entry};
use crate::project::Source;
use crate::report::Kind;

/// A context for a place.
#[derive(Debug)]
pub(crate) struct Context {
    /// An expression of type `&Ctx`.
    pub(crate) borrowed: String,
    /// One of type `Ctx`.
    pub(crate) owned: String,
    pub(crate) kind: Kind,
    pub(crate) names: Vec<&'static str>,
    pub(crate) note: Option<&'static str>,
}

/// The context that is there at `at`, or a root where nobody gives one.
pub(crate) fn at(source: &Source, at: usize) -> Context {
    let index = &source.index;
    let Some(function) = index.function_around(at).map(|found| &index.functions[found]) else {
        return root(source, at, Kind::RootInPlain);
    };
    if index.ours(function).is_some() {
        return match &function.context {
            Some(named) if !moves(source, function, at) => Context {
                borrowed: if named.by_reference {
                    named.name.clone()
                } else {
                    format!("&{}", named.name)
                },
                owned: format!("{}.clone()", named.name),
                kind: Kind::InCurrent,
                names: Vec::new(),
                note: None,
            },
            _ => current(source, at, Kind::InCurrent),
        };
    }
    if is_entry(&function.place) || function.place.test || source.is_test(function.place.module) {
        return root(source, at, Kind::RootInEntry);
    }
    let of_a_trait =
        function.block.is_some_and(|block| matches!(index.blocks[block].kind, BlockKind::Of(_)));
    if of_a_trait && function.is_async {
        return current(source, at, Kind::InForeign);
    }
    root(source, at, Kind::RootInPlain)
}

fn current(source: &Source, at: usize, kind: Kind) -> Context {
    let text = format!("{}::current()", source.written(at, "Ctx"));
    let note = (kind == Kind::InForeign)
        .then_some("it panics where nothing is current: is it always called under a context?");
    Context { borrowed: format!("&{text}"), owned: text, kind, names: vec!["Ctx"], note }
}

fn root(source: &Source, at: usize, kind: Kind) -> Context {
    let (ctx, background) = (source.written(at, "Ctx"), source.written(at, "Background"));
    let text = if background == "Background" {
        format!("{ctx}::background()")
    } else {
        format!("<{ctx} as {background}>::background()")
    };
    let note = (kind == Kind::RootInPlain)
        .then_some("nobody gives this function a context: should it take one?");
    Context {
        borrowed: format!("&{text}"),
        owned: text,
        kind,
        names: vec!["Ctx", "Background"],
        note,
    }
}

/// Whether something that moves what it captures begins between the start of the body and `at`, in the same statement:
/// the context would move into it.
fn moves(source: &Source, function: &Function, at: usize) -> bool {
    let Some(body) = &function.body else { return false };
    let from = source.index.statement_at(at).map_or(body.start, |statement| statement.start);
    source.index.tokens.iter().any(|token| {
        token.ident() == Some("move")
            && (body.start..at).contains(&token.range.start)
            && token.range.start >= from.min(body.end)
    }) || source.index.tokens.iter().any(|token| {
        // a block that moves, with statements of its own
        token.ident() == Some("move") && (body.start..from).contains(&token.range.start)
    })
}

/// Macros that make streams. A stream is polled by somebody else, later, where another context or none is current: so the
/// context that is current where it is made goes into it.
const STREAMS: &[&str] = &["stream", "try_stream", "stream_block", "try_stream_block"];

/// Inside of such a macro: names the context before the statement, and has `context` be that.
pub(crate) fn outlives(source: &Source, at: usize, context: &mut Context) -> Option<Edit> {
    let index = &source.index;
    let name = index.macro_around(at).filter(|name| STREAMS.contains(name))?;
    let function = &index.functions[index.function_around(at)?];
    if function.context.is_some() {
        return None;
    }
    let body = function.body.clone()?;
    let called = index.tokens.iter().position(|token| {
        token.ident() == Some(name) && body.contains(&token.range.start) && token.range.start <= at
    })?;
    let statement = index.statement_at(index.tokens[called].range.start)?;
    let let_it = format!("let ctx = {};", context.owned);
    let there = source.text.get(body.start..statement.start)?.contains(&let_it);
    context.borrowed = "&ctx".to_owned();
    context.note = None;
    if there {
        return None;
    }
    let indent = indent(&source.text, statement.start).unwrap_or_default();
    Some(Edit::insert(statement.start, format!("{let_it}\n{indent}")))
}
