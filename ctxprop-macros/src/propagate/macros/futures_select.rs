//! `select!` of futures: its futures are the user's own, pinned and fused; the handlers are code of the function. In a
//! function that unwinds one more branch takes the end of the context, unless a `default` says that nothing waits.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::parse::{Parse, ParseStream};
use syn::visit_mut::VisitMut;
use syn::{Expr, Macro, Pat, Token};

use super::select::handler;
use super::{in_block, invocation, place};
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
        if let On::Future(pat, future) = &mut branch.on {
            rewriter.visit_pat_mut(pat);
            rewriter.visit_expr_mut(future);
        }
        rewriter.visit_expr_mut(&mut branch.handler);
    }
    let never_waits = branches.iter().any(|branch| matches!(branch.on, On::Default(_)));
    let raced = rewriter.kind() == Kind::Function && !never_waits;
    let (private, select) = (rewriter.private(site), Ident::new("select", site));
    let branches: Vec<_> = branches
        .iter()
        .map(|Branch { on, handler }| match on {
            On::Future(pat, future) if raced => {
                let future = polled_by(&select, future);
                quote_spanned!(site=> #pat = #future => #handler,)
            }
            On::Future(pat, future) => quote_spanned!(site=> #pat = #future => #handler,),
            On::Complete(complete) => quote_spanned!(site=> #complete => #handler,),
            On::Default(default) => quote_spanned!(site=> #default => #handler,),
        })
        .collect();
    if rewriter.kind() != Kind::Function {
        return Some(invocation(mac, quote_spanned!(site=> #(#branches)*)));
    }
    let (how, end) = (rewrite::how(), Ident::new("end", site));
    let bail = rewriter.bail(&end);
    let (select_value, last) = if raced {
        (
            Some(quote_spanned!(site=> let #select = #private::Select::new(#how, false);)),
            Some(quote_spanned!(site=> #end = #select.fused_end() => #bail,)),
        )
    } else {
        (None, None)
    };
    let selected = invocation(mac, quote_spanned!(site=> #(#branches)* #last));
    Some(in_block(
        mac,
        quote_spanned! {site=>
            if let #private::Some(#end) = #private::How::end_before(#how) {
                #bail;
            }
            #select_value
            #selected
        },
    ))
}

/// The future of a branch, polled by way of `select`. The macro borrows what is named, and takes all else.
fn polled_by(select: &Ident, future: &Expr) -> TokenStream {
    let site = place(future);
    match future {
        Expr::Path(_) => quote_spanned!(site=> #select.fused(&mut #future)),
        future => quote_spanned!(site=> #select.fused(#future)),
    }
}
