//! Macros inside a body. Their tokens are the user's own language: what parses is rewritten, what does not is
//! left as it was written.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{Block, Expr, ExprMacro, Macro, MacroDelimiter, Pat, Path, Token, parse_quote};

use super::rewrite::{Kind, Rewriter};

mod event;
mod futures_select;
mod join;
mod json;
mod select;

syn::custom_keyword!(biased);

/// Rewrites `mac` in place, or gives what to write instead of it.
pub(crate) fn rewrite(rewriter: &mut Rewriter<'_>, mac: &mut Macro) -> Option<Expr> {
    let awaits = rewriter.kind() != Kind::Plain;
    match name(&mac.path).as_str() {
        "join" | "try_join" if awaits && is_of(&mac.path, RUNTIMES) => {
            return join::rewrite(rewriter, mac);
        }
        "select" if awaits && is_of(&mac.path, &["tokio"]) => {
            // The bare name may be that of futures, which has another grammar, or other futures.
            return match select::parse(mac) {
                Some(select) if mac.path.segments.len() > 1 || !select.looks_fused() => {
                    Some(select::rewrite(rewriter, mac, select))
                }
                _ => futures_select::rewrite(rewriter, mac),
            };
        }
        "select" | "select_biased" if awaits && is_of(&mac.path, FUTURES) => {
            return futures_select::rewrite(rewriter, mac);
        }
        "matches" | "assert_matches" | "debug_assert_matches" => matches(rewriter, mac),
        "pin" => pinned(rewriter, mac),
        "json" => json::rewrite(rewriter, mac),
        name if event::NAMES.contains(&name) => event::rewrite(rewriter, mac),
        _ => {
            if !expressions(rewriter, mac) {
                rewriter.rules.unparsed(&mac.tokens);
            }
        }
    }
    rewriter.rules.expands_a_macro();
    None
}

const RUNTIMES: &[&str] = &["tokio", "futures", "futures_util"];
const FUTURES: &[&str] = &["futures", "futures_util"];

fn name(path: &Path) -> String {
    path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default()
}

/// Whether `path` is a macro of one of `crates`, or the bare name, as imported.
fn is_of(path: &Path, crates: &[&str]) -> bool {
    match path.segments.len() {
        1 => true,
        2 => crates.iter().any(|krate| path.segments[0].ident == *krate),
        _ => false,
    }
}

/// `mac` with other tokens in it, at the same place.
fn invocation(mac: &Macro, tokens: TokenStream) -> Expr {
    let mac = Macro { tokens, ..mac.clone() };
    Expr::Macro(ExprMacro { attrs: Vec::new(), mac })
}

/// A block instead of `mac`, at the same place; the user's own where that is a block to lints too.
fn in_block(mac: &Macro, tokens: TokenStream) -> Expr {
    let mut block = Group::new(Delimiter::Brace, tokens);
    let place = mac.delimiter.span().join();
    block.set_span(match mac.delimiter {
        MacroDelimiter::Brace(_) => place,
        _ => Span::mixed_site().located_at(place),
    });
    parse_quote!(#block)
}

/// Where errors about `future` are shown: at its first token that says something, and that very token, so that the
/// message does not speak of macros.
fn place(future: &Expr) -> Span {
    match future {
        Expr::Reference(reference) => place(&reference.expr),
        Expr::Paren(paren) => place(&paren.expr),
        Expr::Group(group) => place(&group.expr),
        future => future.span(),
    }
}

/// `format!`, `vec!` and all others whose arguments are expressions. Says whether they were.
fn expressions(rewriter: &mut Rewriter<'_>, mac: &mut Macro) -> bool {
    let list = Punctuated::<Expr, Token![,]>::parse_terminated;
    if let Ok(mut args) = list.parse2(mac.tokens.clone()) {
        if rewriter.changes(|rewriter| args.iter_mut().for_each(|arg| rewriter.visit_expr_mut(arg)))
        {
            mac.tokens = args.into_token_stream();
        }
        return true;
    }
    let repeat = |input: ParseStream<'_>| {
        let item: Expr = input.parse()?;
        let semi: Token![;] = input.parse()?;
        Ok((item, semi, input.parse::<Expr>()?))
    };
    let Ok((mut item, semi, mut count)) = repeat.parse2(mac.tokens.clone()) else { return false };
    let visit = |rewriter: &mut Rewriter<'_>| {
        rewriter.visit_expr_mut(&mut item);
        rewriter.visit_expr_mut(&mut count);
    };
    if rewriter.changes(visit) {
        mac.tokens = quote!(#item #semi #count);
    }
    true
}

/// `matches!(value, pattern if guard)`
fn matches(rewriter: &mut Rewriter<'_>, mac: &mut Macro) {
    let parser = |input: ParseStream<'_>| {
        let value: Expr = input.parse()?;
        let comma: Token![,] = input.parse()?;
        let pat = Pat::parse_multi_with_leading_vert(input)?;
        let guard = match input.parse::<Option<Token![if]>>()? {
            Some(token) => Some((token, input.parse::<Expr>()?)),
            None => None,
        };
        Ok((value, comma, pat, guard, input.parse::<proc_macro2::TokenStream>()?))
    };
    let Ok((mut value, comma, mut pat, mut guard, rest)) = parser.parse2(mac.tokens.clone()) else {
        return;
    };
    let visit = |rewriter: &mut Rewriter<'_>| {
        rewriter.visit_expr_mut(&mut value);
        rewriter.visit_pat_mut(&mut pat);
        guard.iter_mut().for_each(|(_, guard)| rewriter.visit_expr_mut(guard));
    };
    if rewriter.changes(visit) {
        let guard = guard.map(|(token, guard)| quote!(#token #guard));
        mac.tokens = quote!(#value #comma #pat #guard #rest);
    }
}

/// `pin!(future)`, and `pin! { let name = future; .. }` of tokio.
fn pinned(rewriter: &mut Rewriter<'_>, mac: &mut Macro) {
    if expressions(rewriter, mac) {
        return;
    }
    let Ok(mut statements) = Block::parse_within.parse2(mac.tokens.clone()) else { return };
    let visit = |rewriter: &mut Rewriter<'_>| {
        statements.iter_mut().for_each(|statement| rewriter.visit_stmt_mut(statement));
    };
    if rewriter.changes(visit) {
        mac.tokens = quote!(#(#statements)*);
    }
}
