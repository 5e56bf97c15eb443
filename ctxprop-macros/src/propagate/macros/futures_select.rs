//! `select!` of futures: its futures are the user's own, pinned and fused; the handlers are code of the function.
//!
//! It is no leaf while it waits, since one more branch would have to be of types that only futures has: where it is
//! pending, it is dropped at the leaf above. What has ended before it starts is seen.

use proc_macro2::{Ident, Span};
use quote::quote_spanned;
use syn::parse::{Parse, ParseStream};
use syn::visit_mut::VisitMut;
use syn::{Expr, Macro, Pat, Token};

use super::select::handler;
use super::{in_block, invocation};
use crate::propagate::rewrite::{self, Kind, Rewriter};

syn::custom_keyword!(complete);

struct Select(Vec<Branch>);

/// `pattern = future => handler`, `complete => handler` or `default => handler`
struct Branch {
    on: On,
    handler: Expr,
}

enum On {
    Future(Pat, Box<Expr>),
    Complete(complete),
    Default(Token![default]),
}

impl Parse for Select {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut branches = Vec::new();
        while !input.is_empty() {
            let on = if input.peek(complete) && input.peek2(Token![=>]) {
                On::Complete(input.parse()?)
            } else if input.peek(Token![default]) && input.peek2(Token![=>]) {
                On::Default(input.parse()?)
            } else {
                let pat = Pat::parse_multi_with_leading_vert(input)?;
                input.parse::<Token![=]>()?;
                On::Future(pat, input.parse()?)
            };
            input.parse::<Token![=>]>()?;
            branches.push(Branch { on, handler: handler(input)? });
        }
        Ok(Select(branches))
    }
}

pub(super) fn rewrite(rewriter: &mut Rewriter<'_>, mac: &mut Macro) -> Option<Expr> {
    let Select(mut branches) = syn::parse2(mac.tokens.clone()).ok()?;
    let site = Span::mixed_site();
    for branch in &mut branches {
        if let On::Future(_, future) = &mut branch.on {
            rewriter.visit_expr_mut(future);
        }
        rewriter.visit_expr_mut(&mut branch.handler);
    }
    let branches = branches.iter().map(|Branch { on, handler }| match on {
        On::Future(pat, future) => quote_spanned!(site=> #pat = #future => #handler,),
        On::Complete(complete) => quote_spanned!(site=> #complete => #handler,),
        On::Default(default) => quote_spanned!(site=> #default => #handler,),
    });
    let select = invocation(mac, quote_spanned!(site=> #(#branches)*));
    if rewriter.kind() != Kind::Function {
        return Some(select);
    }
    let (private, how) = (rewriter.private(site), rewrite::how());
    let end = Ident::new("end", site);
    let bail = rewriter.bail(&quote_spanned!(site=> #end));
    Some(in_block(
        mac,
        quote_spanned! {site=>
            if let #private::Some(#end) = #private::How::end_before(#how) {
                #bail;
            }
            #select
        },
    ))
}
