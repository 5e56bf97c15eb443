//! Which context a call gets, by where it stands.

use crate::edit::{Edit, indent};
use crate::index::{BlockKind, Function, is_entry};
use crate::project::Source;
use crate::report::MendKind;
use crate::tokens;

/// A context for a place.
#[derive(Debug)]
pub(crate) struct Context {
    /// An expression of type `&Ctx`.
    pub(crate) borrowed: String,
    /// One of type `Ctx`.
    pub(crate) owned: String,
    pub(crate) kind: MendKind,
    pub(crate) names: Vec<&'static str>,
    pub(crate) note: Option<&'static str>,
    /// The edit that gives it its name, where that is not there yet.
    pub(crate) first: Option<Edit>,
}

impl Context {
    /// Whether it is the one that is current in an annotated function, which a call takes by `.in_current()`.
    pub(crate) fn is_current(&self) -> bool {
        self.kind == MendKind::InCurrent && self.borrowed.ends_with("::current()")
    }
}

/// The context that is there at `at`, or a root where nobody gives one.
pub(crate) fn at(source: &Source, at: usize) -> Context {
    let index = &source.index;
    let Some(function) = index.function_around(at).map(|found| &index.functions[found]) else {
        return root(source, at, MendKind::RootInPlain);
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
                kind: MendKind::InCurrent,
                names: Vec::new(),
                note: None,
                first: None,
            },
            _ => current(source, at, MendKind::InCurrent),
        };
    }
    if is_entry(&function.place) || function.place.test || source.is_test(function.place.module) {
        let mut context = root(source, at, MendKind::RootInEntry);
        if let Some(edit) = one_root(source, function, &context) {
            context.borrowed = "&ctx".to_owned();
            context.owned = "ctx.clone()".to_owned();
            context.first = edit;
        }
        return context;
    }
    let of_a_trait =
        function.block.is_some_and(|block| matches!(index.blocks[block].kind, BlockKind::Of(_)));
    if of_a_trait && function.is_async {
        return current(source, at, MendKind::InForeign);
    }
    root(source, at, MendKind::RootInPlain)
}

fn current(source: &Source, at: usize, kind: MendKind) -> Context {
    let text = format!("{}::current()", source.written(at, "Ctx"));
    let note = (kind == MendKind::InForeign)
        .then_some("it panics where nothing is current: is it always called under a context?");
    Context {
        borrowed: format!("&{text}"),
        owned: text,
        kind,
        names: vec!["Ctx"],
        note,
        first: None,
    }
}

fn root(source: &Source, at: usize, kind: MendKind) -> Context {
    let (ctx, background) = (source.written(at, "Ctx"), source.written(at, "Background"));
    let text = if background == "Background" {
        format!("{ctx}::background()")
    } else {
        format!("<{ctx} as {background}>::background()")
    };
    let note = (kind == MendKind::RootInPlain)
        .then_some("nobody gives this function a context: should it take one?");
    Context {
        borrowed: format!("&{text}"),
        owned: text,
        kind,
        names: vec!["Ctx", "Background"],
        note,
        first: None,
    }
}

/// A root with a name, for all calls of a test or of `main`: the edit that makes it, or nothing if that is there. Only where
/// nothing could take the name away, and nothing else has it.
fn one_root(source: &Source, function: &Function, root: &Context) -> Option<Option<Edit>> {
    let body = function.body.clone()?;
    let row = &source.index.tokens;
    let inside = tokens::first_from(row, body.start)..tokens::first_from(row, body.end);
    let made = format!("let ctx = {};", root.owned);
    let is_there = source.text.get(body.clone())?.contains(&made);
    let taken =
        |name: &str| ["move", "spawn", "async"].contains(&name) || name == "ctx" && !is_there;
    if row[inside.clone()].iter().filter_map(tokens::Token::ident).any(taken) {
        return None;
    }
    if is_there {
        return Some(None);
    }
    let first = row.get(inside.start + 1)?.range.start;
    let indent = indent(&source.text, first)?;
    Some(Some(Edit::insert(first, format!("{made}\n{indent}"))))
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

/// Names for a context that goes into a macro.
const NAMES: [&str; 3] = ["ctx", "current_ctx", "ctx_of_the_caller"];

/// Inside of a macro that the attribute does not know: names the context before the statement, and has `context` be that.
/// What such a macro makes, a stream or a task, may be polled by somebody else, later, where another context or none is
/// current: so the one that is current where it is made goes into it.
pub(crate) fn outlives(source: &Source, at: usize, context: &mut Context) -> Option<Edit> {
    let index = &source.index;
    let function = &index.functions[index.function_around(at)?];
    let body = function.body.clone().filter(|_| function.context.is_none())?;
    let called = index.outermost_macro(at, &body)?;
    let statement = index.statement_at(index.tokens[called].range.start)?;
    let made = |name: &str| format!("let {name} = {};", context.owned);
    let before = source.text.get(body.start..statement.start)?;
    let is_there = |name: &str| before.trim_end().ends_with(&made(name));
    let is_free = |name: &str| {
        let used = |token: &tokens::Token| {
            body.contains(&token.range.start) && token.ident() == Some(name)
        };
        before.contains(&made(name)) || !index.tokens.iter().any(used)
    };
    let (name, there) = match NAMES.into_iter().find(|name| is_there(name)) {
        Some(name) => (name, true),
        None => (NAMES.into_iter().find(|name| is_free(name))?, false),
    };
    let let_it = made(name);
    context.borrowed = format!("&{name}");
    context.note = None;
    if there {
        return None;
    }
    let indent = indent(&source.text, statement.start).unwrap_or_default();
    Some(Edit::insert(statement.start, format!("{let_it}\n{indent}")))
}
