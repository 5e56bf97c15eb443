//! A context that a body derives, binds to a name and never uses: nothing runs under it.
//!
//! Syntax tells where it may be one: a `let` whose value is made by a method that derives contexts, and whose name does not
//! occur in the rest of its block, in no macro and no format string. Its type is asked then (`ctxprop::questions`). A binding of
//! the function's own context is always used: awaits pass it on.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{Block, Expr, Local, Pat, Stmt};

use super::Rules;
use super::table::Rule;

/// The methods of `Ctx` that give another one.
const DERIVES: &[&str] = &[
    "child_span",
    "detach",
    "detach_until_shutdown",
    "with_baggage",
    "with_budget_share",
    "with_cancel",
    "with_deadline",
    "with_span",
    "with_timeout",
    "with_token",
    "with_value",
];

/// The names of what may be unused contexts that `block` itself binds.
pub(super) fn of_block(block: &Block) -> Vec<Ident> {
    let bound = |(n, stmt): (usize, &Stmt)| {
        let Stmt::Local(local) = stmt else { return None };
        let name = derived(local)?;
        let rest = block.stmts.get(n + 1..).unwrap_or_default();
        let used = rest.iter().any(|stmt| mentions(stmt.to_token_stream(), &name.to_string()));
        (!used).then(|| name.clone())
    };
    block.stmts.iter().enumerate().filter_map(bound).collect()
}

/// The name of the context that a `let` binds, if it may be one that was derived.
fn derived(local: &Local) -> Option<&Ident> {
    let init = local.init.as_ref()?;
    let name = name(&local.pat)?;
    (derives(&init.expr) && !name.to_string().starts_with('_')).then_some(name)
}

/// `name`, or the first of `(name, canceller)`, also in `Ok(..)`.
fn name(pat: &Pat) -> Option<&Ident> {
    match pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(&pat.ident),
        Pat::Type(pat) => name(&pat.pat),
        Pat::Paren(pat) => name(&pat.pat),
        Pat::Tuple(pat) => name(pat.elems.first()?),
        Pat::TupleStruct(pat) => name(pat.elems.first()?),
        _ => None,
    }
}

fn derives(expr: &Expr) -> bool {
    match expr {
        Expr::MethodCall(call) => {
            let of = |methods: &[&str]| methods.iter().any(|method| call.method == *method);
            of(DERIVES) || of(&["unwrap", "expect", "clone"]) && derives(&call.receiver)
        }
        Expr::Try(tried) => derives(&tried.expr),
        Expr::Paren(paren) => derives(&paren.expr),
        Expr::Group(group) => derives(&group.expr),
        _ => false,
    }
}

/// Whether `name` occurs in `tokens`, be it in the text of a literal: `"{name:?}"`.
fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Literal(literal) => literal.to_string().contains(name),
        TokenTree::Punct(_) => false,
    })
}

impl Rules<'_> {
    /// What asks of a `let` in the block at hand whether it binds a context, if nothing uses it. `own` is the name of the
    /// function's.
    pub(crate) fn unused(&mut self, local: &Local, own: Option<&Ident>) -> Option<TokenStream> {
        let name = derived(local).filter(|name| Some(*name) != own)?;
        if !self.unused.last()?.contains(name) {
            return None;
        }
        if self.allows(Rule::UnusedContext) {
            // Which is to say that it may be unused.
            return Some(quote_spanned!(Span::mixed_site()=> let _ = &#name;));
        }
        self.asks_bindings = true;
        let site = name.span();
        let private = self.private.at(site);
        Some(quote_spanned!(site=> #private::Bound::of(&#name).that_nothing_uses();))
    }
}
