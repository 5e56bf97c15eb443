//! `select!` of futures: its futures are the user's own, pinned and fused; the handlers are code of the function. In a
//! function that unwinds one more branch takes the end of the context, unless a `default` says that nothing waits.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::parse::{Parse, ParseStream};
use syn::visit_mut::VisitMut;
use syn::{Expr, Macro, Pat, Token};

use super::select::{Race, chosen, diverges, handled_under, handler, ok};
use super::{in_block, invocation, place};
use crate::propagate::rewrite::{self, BodyKind, Rewriter, called, strip_parens};

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
        let On::Future(pat, future) = &mut branch.on else {
            rewriter.visit_expr_mut(&mut branch.handler);
            continue;
        };
        rewriter.visit_pat_mut(pat);
        rewriter.visit_expr_mut(future);
        if rewriter.kind() == BodyKind::Function {
            strip_parens(future);
        }
        handled_under(rewriter, pat, &mut branch.handler);
    }
    if rewriter.kind() != BodyKind::Function {
        let branches = branches.iter().map(Branch::as_written);
        return Some(invocation(mac, quote_spanned!(site=> #(#branches)*)));
    }
    rewriter.passes_on();
    let (private, how) = (rewriter.private(site), rewrite::how());
    // Nothing waits here.
    if branches.iter().any(|branch| matches!(branch.on, On::Default(_))) {
        let end = Ident::new("end", site);
        let (bail, branches) = (rewriter.bail(&end), branches.iter().map(Branch::as_written));
        let selected = invocation(mac, quote_spanned!(site=> #(#branches)*));
        return Some(in_block(
            mac,
            quote_spanned! {site=>
                if let #private::Some(#end) = #private::How::refused(&#how) {
                    #bail;
                }
                #selected
            },
        ));
    }
    let goes_on = branches.iter().any(|branch| !diverges(&branch.handler));
    let (mut none, mut futures, mut handlers) = (None, Vec::new(), Vec::new());
    for Branch { on, handler } in &branches {
        let handler = ok(private, handler, goes_on);
        match on {
            On::Complete(_) => none = Some(handler),
            On::Default(_) => {}
            On::Future(pat, future) => {
                futures.push(polled(rewriter, future));
                handlers.push(quote_spanned! {site=>
                    match chosen {
                        #private::Some(#pat) => #handler,
                        #private::None => #private::was_taken(),
                    }
                });
            }
        }
    }
    let branches = futures.iter().rev().fold(
        quote_spanned!(site=> #private::nil().0),
        |rest, future| quote_spanned!(site=> #private::or(#private::Raced(#future).kept(), |value| value.is_some(), #rest)),
    );
    let race = Race {
        biased: mac.path.segments.last().is_some_and(|name| name.ident == "select_biased"),
        disabled: quote_spanned!(site=> 0),
        branches,
        chosen: chosen(private, handlers.into_iter()),
        none: none.unwrap_or_else(|| quote_spanned!(site=> #private::all_complete())),
        goes_on,
    };
    Some(race.awaited(rewriter, mac))
}

impl Branch {
    fn as_written(&self) -> TokenStream {
        let (site, handler) = (Span::mixed_site(), &self.handler);
        match &self.on {
            On::Future(pat, future) => quote_spanned!(site=> #pat = #future => #handler,),
            On::Complete(complete) => quote_spanned!(site=> #complete => #handler,),
            On::Default(default) => quote_spanned!(site=> #default => #handler,),
        }
    }
}

/// The future of a branch. The macro borrows what is named, and takes all else.
fn polled(rewriter: &Rewriter<'_>, future: &Expr) -> TokenStream {
    let (site, call) = (place(future), called(place(future)));
    let private = rewriter.private(call);
    let future = match future {
        Expr::Path(_) => quote_spanned!(site=> &mut #future),
        future => quote_spanned!(site=> #future),
    };
    quote_spanned!(call=> #private::fused(#future))
}
