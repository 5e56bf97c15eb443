//! `tokio::select!`: the futures are threaded, the handlers are code of the function, and in a function that
//! unwinds one more branch takes the end of the context.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream};
use syn::visit_mut::VisitMut;
use syn::{Expr, Macro, Pat, Token};

use super::{biased, in_block, invocation, place};
use crate::propagate::rewrite::{self, Kind, Rewriter};

/// What stands in a `tokio::select!`.
pub(super) struct Select {
    biased: Option<(biased, Token![;])>,
    branches: Vec<Branch>,
    otherwise: Option<Expr>,
}

/// `pattern = future, if precondition => handler`
struct Branch {
    pat: Pat,
    future: Expr,
    precondition: Option<Expr>,
    handler: Expr,
}

impl Parse for Select {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut select = Select { biased: None, branches: Vec::new(), otherwise: None };
        if input.peek(biased) && input.peek2(Token![;]) {
            select.biased = Some((input.parse()?, input.parse()?));
        }
        while !input.is_empty() {
            if input.peek(Token![else]) {
                input.parse::<Token![else]>()?;
                input.parse::<Token![=>]>()?;
                select.otherwise = Some(handler(input)?);
            } else {
                select.branches.push(input.parse()?);
            }
        }
        Ok(select)
    }
}

impl Parse for Branch {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let pat = Pat::parse_multi_with_leading_vert(input)?;
        input.parse::<Token![=]>()?;
        let future = input.parse()?;
        let mut precondition = None;
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            input.parse::<Token![if]>()?;
            precondition = Some(input.parse()?);
        }
        input.parse::<Token![=>]>()?;
        Ok(Branch { pat, future, precondition, handler: handler(input)? })
    }
}

/// As in a `match` arm: a block needs no comma after it.
pub(super) fn handler(input: ParseStream<'_>) -> syn::Result<Expr> {
    if input.peek(syn::token::Brace) {
        let ahead = input.fork();
        let block =
            Expr::Block(syn::ExprBlock { attrs: Vec::new(), label: None, block: ahead.parse()? });
        if ahead.is_empty() || ahead.peek(Token![,]) || !continues(&ahead) {
            input.advance_to(&ahead);
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            }
            return Ok(block);
        }
    }
    let handler = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(handler)
}

/// Whether a block is the start of a longer expression, as in `{ .. }.await`.
fn continues(input: ParseStream<'_>) -> bool {
    input.peek(Token![.]) || input.peek(Token![?])
}

pub(super) fn parse(mac: &Macro) -> Option<Select> {
    syn::parse2(mac.tokens.clone()).ok()
}

pub(super) fn rewrite(rewriter: &mut Rewriter<'_>, mac: &Macro, mut select: Select) -> Expr {
    for branch in &mut select.branches {
        rewriter.visit_pat_mut(&mut branch.pat);
        rewriter.visit_awaited(&mut branch.future);
        branch.precondition.iter_mut().for_each(|condition| rewriter.visit_expr_mut(condition));
        rewriter.visit_expr_mut(&mut branch.handler);
    }
    select.otherwise.iter_mut().for_each(|otherwise| rewriter.visit_expr_mut(otherwise));
    rewriter.threads();
    let otherwise = select
        .otherwise
        .as_ref()
        .map(|otherwise| quote_spanned!(Span::mixed_site()=> else => #otherwise,));
    match rewriter.kind() {
        Kind::Function => raced(rewriter, mac, &select, otherwise.as_ref()),
        _ => {
            let branches = select.branches.iter().map(|branch| branch.threaded(rewriter));
            let biased = select.biased();
            let tokens = quote_spanned!(Span::mixed_site()=> #biased #(#branches)* #otherwise);
            invocation(mac, tokens)
        }
    }
}

impl Select {
    /// Whether its futures are written as the `select!` of futures wants them: as a name that it borrows, or fused.
    /// Where that is wrong, what is left out is the branch for the end of the context.
    pub(super) fn looks_fused(&self) -> bool {
        self.branches.iter().any(|branch| match &branch.future {
            Expr::Path(_) => true,
            Expr::MethodCall(call) => call.method == "fuse" || call.method == "select_next_some",
            _ => false,
        })
    }

    fn biased(&self) -> Option<TokenStream> {
        self.biased
            .as_ref()
            .map(|(biased, semi)| quote_spanned!(Span::mixed_site()=> #biased #semi))
    }
}

impl Branch {
    /// Gives the branch's future the current context.
    fn future(&self, rewriter: &Rewriter<'_>) -> TokenStream {
        let future = &self.future;
        let site = place(future);
        let private = rewriter.private(site);
        quote_spanned!(site=> #private::Awaited(#future).branch())
    }

    fn threaded(&self, rewriter: &Rewriter<'_>) -> TokenStream {
        let (pat, future, handler) = (&self.pat, self.future(rewriter), &self.handler);
        let precondition = self
            .precondition
            .as_ref()
            .map(|condition| quote_spanned!(Span::mixed_site()=> , if #condition));
        quote_spanned!(Span::mixed_site()=> #pat = #future #precondition => #handler,)
    }

    fn raced(&self, rewriter: &Rewriter<'_>, select: &Ident) -> TokenStream {
        let (pat, future, handler) = (&self.pat, self.future(rewriter), &self.handler);
        match &self.precondition {
            None => {
                quote_spanned!(Span::mixed_site()=> #pat = #select.branch(#future) => #handler,)
            }
            Some(condition) => quote_spanned! {Span::mixed_site()=>
                #pat = #select.guarded(#future), if #select.enable(#condition) => #handler,
            },
        }
    }

    /// Whether the pattern takes every value, as far as syntax tells.
    fn irrefutable(&self) -> bool {
        match &self.pat {
            Pat::Wild(_) => true,
            Pat::Ident(pat) => {
                pat.subpat.is_none()
                    && pat.ident.to_string().starts_with(|first: char| !first.is_uppercase())
            }
            _ => false,
        }
    }
}

fn raced(
    rewriter: &mut Rewriter<'_>,
    mac: &Macro,
    parsed: &Select,
    otherwise: Option<&TokenStream>,
) -> Expr {
    let site = Span::mixed_site();
    let private = rewriter.private(site);
    let (how, select, end) = (rewrite::how(), Ident::new("select", site), Ident::new("end", site));
    let branches: Vec<_> =
        parsed.branches.iter().map(|branch| branch.raced(rewriter, &select)).collect();
    let refutable = !parsed.branches.iter().all(Branch::irrefutable);
    let biased = parsed.biased();
    let bail = rewriter.bail(&end);
    let race = invocation(
        mac,
        quote_spanned! {site=>
            #biased
            #(#branches)*
            #private::Some(#end) = #select.end() => #bail,
            #otherwise
        },
    );
    in_block(
        mac,
        quote_spanned! {site=>
            if let #private::Some(#end) = #private::How::end_before(#how) {
                #bail;
            }
            let #select = #private::Select::new(#how, #refutable);
            #race
        },
    )
}
