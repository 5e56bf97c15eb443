//! `tokio::select!`: the context is passed on to the futures, the handlers are code of the function, and in a function that
//! unwinds one more branch takes the end of the context.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Macro, Pat, PatIdent, Stmt, Token};

use super::{biased, place};
use crate::krate::PrivateAt;
use crate::propagate::rewrite::{
    self, BodyKind, Rewriter, called, match_at, spanned, strip_parens,
};

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
        strip_parens(&mut branch.future);
        branch.precondition.iter_mut().for_each(|condition| rewriter.visit_expr_mut(condition));
        handled_under(rewriter, &branch.pat, &mut branch.handler);
    }
    select.otherwise.iter_mut().for_each(|otherwise| rewriter.visit_expr_mut(otherwise));
    rewriter.passes_on();
    raced(rewriter, mac, &select)
}

/// Visits a handler, which sees what the pattern of its branch binds.
pub(super) fn handled_under(rewriter: &mut Rewriter<'_>, pat: &Pat, handler: &mut Expr) {
    let named = rewriter.named_in(pat);
    rewriter.visit_bound(named.is_some(), |rewriter| rewriter.visit_expr_mut(handler));
    if let Some(name) = named {
        rewriter.rename_before(handler, &name);
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
}

impl Branch {
    /// Gives the branch's future the current context.
    fn future(&self, rewriter: &Rewriter<'_>) -> TokenStream {
        let future = &self.future;
        let site = place(future);
        let private = rewriter.private(site);
        quote_spanned!(site=> #private::Awaited(#future).branch())
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

/// All branches as a struct of the core that gives which was the first; the handlers stay outside of it.
fn raced(rewriter: &mut Rewriter<'_>, mac: &Macro, select: &Select) -> Expr {
    let site = Span::mixed_site().located_at(mac.path.span());
    let private = rewriter.private(site);
    let branches = select.branches.iter().rev().fold(
        quote_spanned!(site=> #private::nil().0),
        |rest, branch| {
            let (future, takes) = (branch.future(rewriter), branch.takes());
            quote_spanned!(site=> #private::or(#private::Raced(#future).kept(), #takes, #rest))
        },
    );
    let disabled = match select.branches.iter().any(|branch| branch.precondition.is_some()) {
        false => quote_spanned!(site=> 0),
        true => {
            let enabled = select.branches.iter().map(|branch| match &branch.precondition {
                Some(condition) => quote_spanned!(site=> #condition),
                None => quote_spanned!(site=> true),
            });
            quote_spanned!(site=> #private::disabled([#(#enabled),*]))
        }
    };
    let handlers = select.branches.iter().map(|branch| &branch.handler);
    let goes_on = handlers.chain(&select.otherwise).any(|handler| !diverges(handler));
    let handlers = select.branches.iter().map(|branch| branch.handled(private, goes_on));
    let none = match &select.otherwise {
        Some(otherwise) => ok(private, otherwise, goes_on),
        None => quote_spanned!(site=> #private::none_left()),
    };
    let chosen = chosen(private, handlers);
    let race = Race { biased: select.biased.is_some(), disabled, branches, chosen, none, goes_on };
    race.awaited(rewriter, mac)
}

/// A `select!`, ready to be written.
pub(super) struct Race {
    pub(super) biased: bool,
    pub(super) disabled: TokenStream,
    pub(super) branches: TokenStream,
    /// The arms of a `match` on which branch was the first.
    pub(super) chosen: TokenStream,
    /// What is done where none can be the first.
    pub(super) none: TokenStream,
    /// Whether the code behind it is reached.
    pub(super) goes_on: bool,
}

impl Race {
    pub(super) fn awaited(self, rewriter: &mut Rewriter<'_>, mac: &Macro) -> Expr {
        let (start, end_of_it) = (mac.path.span(), mac.delimiter.span().close());
        let site = Span::mixed_site().located_at(start);
        let (private, how) = (rewriter.private(site), rewrite::how());
        let Race { biased, disabled, branches, chosen, none, goes_on } = self;
        let is_leaf = rewriter.kind() == BodyKind::Function;
        let how = match is_leaf {
            true => quote_spanned!(site=> #how),
            false => quote_spanned!(site=> #private::InBlock),
        };
        let call = called(start);
        let select = {
            let private = rewriter.private(call);
            quote_spanned!(call=> #private::select(&#how, #biased, #disabled, #branches))
        };
        let select = rewriter.under(select, start);
        // In a block of its own, so that what the branches borrow is free in the handlers.
        let selected = quote_spanned! {site=>
            {
                #[allow(unused_imports)]
                use #private::CannotBeKept as _;
                #select.await
            }
        };
        let arms = |end| {
            [
                (
                    quote_spanned!(site=> #private::Ok(#private::Some(chosen))),
                    quote_spanned!(site=> match chosen { #chosen }),
                ),
                (quote_spanned!(site=> #private::Ok(#private::None)), quote_spanned!(site=> #none)),
                (quote_spanned!(site=> #private::Err(end)), end),
            ]
        };
        let end = Ident::new("end", site);
        let never = quote_spanned!(site=> #end.never());
        if !goes_on {
            let bail = if is_leaf { rewriter.bail(&end) } else { never };
            return spanned(match_at(site, selected, arms(bail)), start, end_of_it);
        }
        let ended = quote_spanned!(site=> #private::Err(end.of_type()));
        let selected = match_at(site, selected, arms(ended));
        let tied = quote_spanned!(site=> #private::tied(#selected));
        let value = match is_leaf {
            true => rewriter.given(&tied, site),
            false => match_at(
                site,
                tied,
                [
                    (quote_spanned!(site=> #private::Ok(value)), quote_spanned!(site=> value)),
                    (quote_spanned!(site=> #private::Err(#end)), never),
                ],
            ),
        };
        // A `match` like the user's own, with no braces around it: those of the macro are no block.
        spanned(value, start, end_of_it)
    }
}

/// The value of a handler, which may have none.
pub(super) fn ok(private: PrivateAt<'_>, handler: &Expr, goes_on: bool) -> TokenStream {
    let site = Span::mixed_site();
    match handler {
        handler if !goes_on || diverges(handler) => quote_spanned!(site=> #handler),
        // The braces of an argument are not needed, and rustc would say so.
        Expr::Block(_) => quote_spanned!(site=> #private::Ok(match () { () => #handler })),
        handler => quote_spanned!(site=> #private::Ok(#handler)),
    }
}

/// Whether nothing comes after an expression, as far as syntax tells.
pub(super) fn diverges(expr: &Expr) -> bool {
    match expr {
        Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => true,
        Expr::Block(block) => match block.block.stmts.last() {
            Some(Stmt::Expr(last, _)) => diverges(last),
            Some(Stmt::Macro(last)) => panics(&last.mac),
            _ => false,
        },
        Expr::Macro(expr) => panics(&expr.mac),
        Expr::Paren(expr) => diverges(&expr.expr),
        _ => false,
    }
}

fn panics(mac: &Macro) -> bool {
    let known = ["panic", "unreachable", "todo", "unimplemented"];
    mac.path.segments.last().is_some_and(|name| known.iter().any(|known| name.ident == known))
}

/// An arm for each branch: a pattern for its value, and what to do.
pub(super) fn chosen(
    private: PrivateAt<'_>,
    handlers: impl Iterator<Item = TokenStream>,
) -> TokenStream {
    let site = Span::mixed_site();
    let mut arms = TokenStream::new();
    for (n, handler) in handlers.enumerate() {
        let here = quote_spanned!(site=> #private::Choice::Here(chosen));
        let pattern =
            (0..n).fold(here, |inner, _| quote_spanned!(site=> #private::Choice::There(#inner)));
        arms.extend(quote_spanned!(site=> #pattern => #handler,));
    }
    arms
}

impl Branch {
    /// Whether its pattern takes a value, asked by reference.
    fn takes(&self) -> TokenStream {
        let site = Span::mixed_site();
        if self.irrefutable() {
            return quote_spanned!(site=> |_| true);
        }
        let mut pat = self.pat.clone();
        ByReference.visit_pat_mut(&mut pat);
        quote_spanned! {site=>
            |value| {
                #[allow(unused_variables, unreachable_patterns)]
                let taken = match value { #pat => true, _ => false };
                taken
            }
        }
    }

    /// The handler, with what its pattern binds.
    fn handled(&self, private: PrivateAt<'_>, goes_on: bool) -> TokenStream {
        let (site, pat) = (Span::mixed_site(), &self.pat);
        let handler = ok(private, &self.handler, goes_on);
        if self.irrefutable() {
            return quote_spanned!(site=> match chosen { #pat => #handler });
        }
        quote_spanned! {site=>
            match chosen {
                #pat => #handler,
                #[allow(unreachable_patterns)]
                _ => #private::was_taken(),
            }
        }
    }
}

/// Takes `ref` and `mut` out of a pattern, which is matched by reference.
struct ByReference;

impl VisitMut for ByReference {
    fn visit_pat_ident_mut(&mut self, pat: &mut PatIdent) {
        (pat.by_ref, pat.mutability) = (None, None);
        visit_mut::visit_pat_ident_mut(self, pat);
    }
}
