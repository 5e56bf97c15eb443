//! `serde_json::json!`: the values in it are expressions, itself it is none.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::VisitMut;
use syn::{Expr, Macro};

use crate::propagate::rewrite::Rewriter;

pub(super) fn rewrite(rewriter: &mut Rewriter<'_>, mac: &mut Macro) {
    let tokens = mac.tokens.clone();
    let mut rewritten = TokenStream::new();
    if rewriter.changes(|rewriter| rewritten = value(rewriter, tokens)) {
        mac.tokens = rewritten;
    }
}

/// `{ .. }`, `[ .. ]` or an expression.
fn value(rewriter: &mut Rewriter<'_>, tokens: TokenStream) -> TokenStream {
    let mut trees = tokens.clone().into_iter();
    if let (Some(TokenTree::Group(group)), None) = (trees.next(), trees.next()) {
        let content = match group.delimiter() {
            Delimiter::Brace => members(rewriter, group.stream(), true),
            Delimiter::Bracket => members(rewriter, group.stream(), false),
            _ => return expr(rewriter, tokens),
        };
        let mut rewritten = Group::new(group.delimiter(), content);
        rewritten.set_span(group.span());
        return TokenTree::Group(rewritten).into();
    }
    expr(rewriter, tokens)
}

fn expr(rewriter: &mut Rewriter<'_>, tokens: TokenStream) -> TokenStream {
    let Ok(mut value) = syn::parse2::<Expr>(tokens.clone()) else { return tokens };
    if rewriter.changes(|rewriter| rewriter.visit_expr_mut(&mut value)) {
        value.into_token_stream()
    } else {
        tokens
    }
}

/// What commas separate; in an object, each behind a key and a colon.
fn members(rewriter: &mut Rewriter<'_>, tokens: TokenStream, keyed: bool) -> TokenStream {
    let mut rewritten = TokenStream::new();
    let mut member = TokenStream::new();
    let mut in_key = keyed;
    for tree in tokens {
        match &tree {
            TokenTree::Punct(punct) if punct.as_char() == ',' => {
                let value = value(rewriter, std::mem::take(&mut member));
                rewritten.extend(value);
                rewritten.extend([tree]);
                in_key = keyed;
            }
            // a key is one literal, or in parentheses, so that this is no `::`
            TokenTree::Punct(punct) if in_key && punct.as_char() == ':' => {
                rewritten.extend(std::mem::take(&mut member));
                rewritten.extend([tree]);
                in_key = false;
            }
            _ => member.extend([tree]),
        }
    }
    rewritten.extend(value(rewriter, member));
    rewritten
}
