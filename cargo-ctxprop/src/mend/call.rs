//! A call of an annotated function that was given no context: `.with(..)` or `.in_current()`, where it is made.

use proc_macro2::Delimiter;

use super::{Case, Mend, context};
use crate::edit::Edit;
use crate::tokens::{self, Token, TokenKind};

/// What the core says wherever a future is asked for and a call of ours is given.
const HEADLINE: &str = "`NeedsCtx` is not a future";

/// Methods that futures have by the extensions of futures, tokio and tracing.
const OF_FUTURES: &[&str] = &[
    "and_then",
    "boxed",
    "boxed_local",
    "catch_unwind",
    "fuse",
    "in_current_span",
    "inspect",
    "instrument",
    "into_future",
    "left_future",
    "map",
    "map_err",
    "map_ok",
    "or_else",
    "remote_handle",
    "right_future",
    "shared",
    "then",
    "timeout",
    "with_subscriber",
];

pub(crate) fn mend(case: &Case<'_>) -> Option<Mend> {
    if !case.error.texts().any(|text| text.contains(HEADLINE)) {
        return None;
    }
    let places = places(case);
    let first = *places.first()?;
    let mut context = context::at(case.source, first);
    let mut edits: Vec<_> = context.first.take().into_iter().collect();
    if context.kind == crate::report::MendKind::InCurrent {
        edits.extend(context::outlives(case.source, first, &mut context));
    }
    let text = if context.is_current() {
        context.names.clear();
        ".in_current()".to_owned()
    } else {
        format!(".with({})", context.borrowed)
    };
    edits.extend(places.into_iter().map(|at| Edit::insert(at, text.clone())));
    Some(Mend {
        path: case.path.to_owned(),
        kind: context.kind,
        edits,
        names: context.names,
        note: context.note.map(str::to_owned),
    })
}

/// Where `.with(..)` goes.
fn places(case: &Case<'_>) -> Vec<usize> {
    let row = &case.index().tokens;
    let (start, end) = (case.span.byte_start, case.span.byte_end);
    let first = tokens::first_from(row, start);
    let behind = tokens::first_from(row, end);
    // rustc underlines the `await`, and means what stands before it
    if row.get(first).and_then(Token::ident) == Some("await") && behind == first + 1 {
        return awaited(case, first);
    }
    // `load(1).instrument(span)`: what the method is called on
    let method = row.get(first).filter(|_| behind == first + 1).and_then(Token::ident);
    if method.is_some_and(|name| OF_FUTURES.contains(&name))
        && first >= 2
        && row[first - 1].is_punct('.')
        && !has_context(row, first - 1)
    {
        return vec![row[first - 2].range.end];
    }
    // the name of a function that takes futures: it means one of its arguments
    if behind == first + 1
        && row.get(first).and_then(Token::ident).is_some()
        && let Some((open, close)) = tokens::arguments(row, first)
        && !case.known.needing.contains(row[first].ident().unwrap_or_default())
    {
        let calls = calls(case, open + 1, close);
        if !calls.is_empty() {
            return calls;
        }
        // a variable that holds a call
        let names = arguments(row, open, close).filter(|range| range.len() == 1).filter(|range| {
            let name = row[range.start].ident();
            name.is_some_and(|name| !case.known.needing.contains(name))
                || super::is_local(case, range.start)
        });
        let ends: Vec<_> = names.map(|range| row[range.start].range.end).collect();
        return if ends.len() == 1 { ends } else { Vec::new() };
    }
    let mut calls = calls(case, first, behind);
    // `select! { value = &mut call => .. }`: where the calls were made that it borrows
    if calls.is_empty() && behind > first + 1 {
        calls = (first..behind).filter_map(|at| made(case, at)).collect();
        calls.dedup();
    }
    let one = row.get(first).filter(|_| behind == first + 1).and_then(Token::ident);
    // a variable, and no function that is passed on
    if calls.is_empty()
        && one
            .is_some_and(|name| !case.known.needing.contains(name) || super::is_local(case, first))
    {
        return vec![end];
    }
    calls
}

/// What stands before `.await`, the `await` being token `at`.
fn awaited(case: &Case<'_>, at: usize) -> Vec<usize> {
    let row = &case.index().tokens;
    let Some(mut last) = at.checked_sub(2).filter(|_| row[at - 1].is_punct('.')) else {
        return Vec::new();
    };
    // `load(1).instrument(span)`: what the methods of futures are called on
    while let TokenKind::Close(Delimiter::Parenthesis, open) = row[last].kind
        && open >= 3
        && row[open - 2].is_punct('.')
        && row[open - 1]
            .ident()
            .is_some_and(|name| OF_FUTURES.contains(&name) && !case.known.needing.contains(name))
    {
        last = open - 3;
    }
    if has_context(row, last + 1) {
        return Vec::new();
    }
    // `(&mut call).await`: where the call was made
    if let TokenKind::Close(Delimiter::Parenthesis, open) = row[last].kind
        && let Some(made) = made(case, open + 1)
    {
        return vec![made];
    }
    // `timeout(wait, load(1)).await`: what was given to it; in an annotated function also what was given to one of ours,
    // which itself has its context there
    if let TokenKind::Close(Delimiter::Parenthesis, open) = row[last].kind
        && called(row, open)
            .is_some_and(|name| is_annotated(case, at) || !case.known.needing.contains(name))
    {
        let inside = calls(case, open + 1, last);
        if !inside.is_empty() {
            return inside;
        }
    }
    vec![row[last].range.end]
}

/// The function or method whose arguments begin at token `open`, also behind a turbofish.
fn called(row: &[Token], open: usize) -> Option<&str> {
    let mut at = open.checked_sub(1)?;
    if row[at].is_punct('>') {
        let mut depth = 1;
        while depth > 0 {
            at = at.checked_sub(1)?;
            depth += i32::from(row[at].is_punct('>')) - i32::from(row[at].is_punct('<'));
        }
        at = at.checked_sub(3)?;
    }
    row[at].ident()
}

/// Whether the attribute reaches the `.await` at token `at`.
fn is_annotated(case: &Case<'_>, at: usize) -> bool {
    let index = case.index();
    let start = index.tokens[at].range.start;
    index.macro_around(start).is_none()
        && index
            .function_around(start)
            .is_some_and(|found| index.ours(&index.functions[found]).is_some())
}

/// The end of the call that `let call = load(1);` bound to a name, where `&mut call` begins at token `at`.
fn made(case: &Case<'_>, at: usize) -> Option<usize> {
    let row = &case.index().tokens;
    let name = row.get(at + 2)?.ident()?;
    if !row[at].is_punct('&') || row[at + 1].ident() != Some("mut") {
        return None;
    }
    let from = tokens::first_from(
        row,
        case.index().functions[case.index().function_around(row[at].range.start)?]
            .body
            .as_ref()?
            .start,
    );
    let bound = (from..at).rev().find(|bound| {
        row[*bound].ident() == Some(name)
            && row[bound - 1].ident() == Some("let")
            && row[bound + 1].is_punct('=')
    })?;
    let end = (bound..at).find(|end| row[*end].is_punct(';') && row[end - 1].is_close())?;
    calls(case, bound + 2, end).into_iter().find(|call| *call == row[end - 1].range.end)
}

/// The ends of the outermost calls between two tokens that need a context and are not given one there.
fn calls(case: &Case<'_>, from: usize, to: usize) -> Vec<usize> {
    let row = &case.index().tokens;
    let mut found = Vec::new();
    let mut at = from;
    while at < to {
        if let Some(name) = row[at].ident()
            && case.known.needing.contains(name)
            && let Some((_, close)) = tokens::arguments(row, at)
            && row.get(at.wrapping_sub(1)).is_none_or(|before| before.ident() != Some("fn"))
        {
            let next = row.get(close + 1);
            let goes_on = next.is_some_and(|next| next.is_punct('.') || next.is_punct('?'));
            if !goes_on {
                found.push(row[close].range.end);
                at = close;
            }
        }
        at += 1;
    }
    found
}

/// The arguments of a call, each as a range of tokens.
fn arguments(
    row: &[Token],
    open: usize,
    close: usize,
) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let (mut from, mut at) = (open + 1, open + 1);
    while at < close {
        match row[at].kind {
            TokenKind::Open(_, end) => at = end,
            TokenKind::Punct(',') => {
                ranges.push(from..at);
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if from < close {
        ranges.push(from..close);
    }
    ranges.into_iter()
}

/// Whether what ends before token `dot` is `.with(..)` already.
fn has_context(row: &[Token], dot: usize) -> bool {
    let Some(TokenKind::Close(Delimiter::Parenthesis, open)) =
        dot.checked_sub(1).map(|last| row[last].kind.clone())
    else {
        return false;
    };
    open >= 2
        && matches!(row[open - 1].ident(), Some("with" | "in_current"))
        && row[open - 2].is_punct('.')
}

#[cfg(test)]
mod tests;
