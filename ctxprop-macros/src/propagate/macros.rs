//! Macros inside a body. Those whose language is known are rewritten inside, all others are left as they were written:
//! what an `.await` in them means, only they know.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{Block, Expr, ExprMacro, Local, Macro, MacroDelimiter, Pat, Stmt, Token, parse_quote};

use super::rewrite::{BodyKind, Rewriter};

mod event;
mod futures_select;
mod join;
mod json;
mod known;
mod select;

use self::known::Language;

syn::custom_keyword!(biased);

/// What a statement says of the macros in it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing: those that are known are looked into.
    #[default]
    Nothing,
    /// `#[propagate(skip)]`: none of them is what its name says.
    Skip,
    /// `#[propagate(expressions)]`: those that are not known take expressions of the function too.
    Expressions,
}

/// Whether nobody looks into `mac`, which may then be a `let` of the function.
pub(crate) fn is_left_alone(mac: &Macro, said: Said) -> bool {
    said != Said::Expressions && (said == Said::Skip || known::language(mac).is_none())
}

/// Whether `name = value` in `mac` is a field of an event.
pub(crate) fn has_fields(mac: &Macro) -> bool {
    known::language(mac) == Some(Language::Event)
}

/// Rewrites `mac` in place, or gives what to write instead of it.
pub(crate) fn rewrite(rewriter: &mut Rewriter<'_>, mac: &mut Macro) -> Option<Expr> {
    let awaits = rewriter.kind() != BodyKind::Plain;
    let known = match rewriter.rules.said {
        Said::Nothing => known::language(mac),
        Said::Skip => None,
        Said::Expressions => Some(known::language(mac).unwrap_or(Language::Expressions)),
    };
    match known {
        Some(Language::Join) if awaits => {
            let rewritten = join::rewrite(rewriter, mac)?;
            let site = Span::mixed_site();
            let private = rewriter.private(site);
            // That of `try_join!` says what errors there are.
            let content = match mac.path.is_ident("try_join") {
                true => quote_spanned!(site=> async { #private::nothing_failed() }),
                false => quote_spanned!(site=> async {}),
            };
            return Some(named(rewriter, mac, rewritten, &content));
        }
        Some(Language::Select) if awaits => {
            // The bare name may be that of futures, which has another grammar, or other futures.
            return match select::parse(mac) {
                Some(select) if mac.path.segments.len() > 1 || !select.looks_fused() => {
                    let rewritten = select::rewrite(rewriter, mac, select);
                    let content = quote_spanned!(Span::mixed_site()=> _ = async {} => {});
                    Some(named(rewriter, mac, rewritten, &content))
                }
                _ => of_futures(rewriter, mac),
            };
        }
        Some(Language::FuturesSelect) if awaits => return of_futures(rewriter, mac),
        Some(Language::Matches) => matches(rewriter, mac),
        Some(Language::Pin) => pinned(rewriter, mac),
        Some(Language::Json) => json::rewrite(rewriter, mac),
        Some(Language::Event) => event::rewrite(rewriter, mac),
        Some(_) if expressions(rewriter, mac) => {}
        _ => rewriter.rules.unparsed(&mac.tokens),
    }
    rewriter.rules.expands_a_macro();
    None
}

/// `mac` with other tokens in it, at the same place.
fn invocation(mac: &Macro, tokens: TokenStream) -> Expr {
    let mac = Macro { tokens, ..mac.clone() };
    Expr::Macro(ExprMacro { attrs: Vec::new(), mac })
}

fn of_futures(rewriter: &mut Rewriter<'_>, mac: &mut Macro) -> Option<Expr> {
    let rewritten = futures_select::rewrite(rewriter, mac)?;
    let content = quote_spanned!(Span::mixed_site()=> complete => {});
    Some(named(rewriter, mac, rewritten, &content))
}

/// What becomes of `mac` when it is rewritten, with a use of its name that never runs: the import of it would be unused.
fn named(rewriter: &mut Rewriter<'_>, mac: &Macro, expr: Expr, content: &TokenStream) -> Expr {
    let Expr::Match(mut rewritten) = expr else { return expr };
    if let Some(name) = mac.path.get_ident()
        && rewriter.is_first(name)
        && let Some(arm) = rewritten.arms.last_mut()
    {
        let body = &arm.body;
        *arm.body = Expr::Verbatim(quote_spanned! {Span::mixed_site()=>
            {
                if false {
                    let _ = || async { let _ = #name! { #content }; };
                }
                #body
            }
        });
    }
    Expr::Match(rewritten)
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

/// `format!`, `vec!` and all others whose arguments are expressions. Says whether they were: anything else in a macro of
/// such a name is another macro.
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
        let named = rewriter.named_in(&pat);
        rewriter.visit_guarded(named, |rewriter| {
            guard.iter_mut().for_each(|(_, guard)| rewriter.visit_expr_mut(guard));
        });
    };
    if rewriter.changes(visit) {
        let guard = guard.map(|(token, guard)| quote!(#token #guard));
        mac.tokens = quote!(#value #comma #pat #guard #rest);
    }
}

/// `pin!(future)`, and `pin! { let name = future; .. }` of tokio.
fn pinned(rewriter: &mut Rewriter<'_>, mac: &mut Macro) {
    if let Ok(mut pinned) = syn::parse2::<Expr>(mac.tokens.clone()) {
        let visit = |rewriter: &mut Rewriter<'_>| {
            rewriter.mark_pinned(&mut pinned);
            rewriter.visit_expr_mut(&mut pinned);
        };
        if rewriter.changes(visit) {
            mac.tokens = pinned.into_token_stream();
        }
        return;
    }
    if expressions(rewriter, mac) {
        return;
    }
    let Ok(mut statements) = Block::parse_within.parse2(mac.tokens.clone()) else { return };
    let visit = |rewriter: &mut Rewriter<'_>| {
        for statement in &mut statements {
            if let Stmt::Local(Local { init: Some(init), .. }) = statement {
                rewriter.mark_pinned(&mut init.expr);
            }
            rewriter.visit_stmt_mut(statement);
        }
    };
    if rewriter.changes(visit) {
        mac.tokens = quote!(#(#statements)*);
    }
}
