//! Closures that use nothing of the function around them. `move` has nothing to move into such a one, so it takes a clone of
//! the context with it, and may leave the function as it could before.
//!
//! # Invariants
//! 1. What is not known to be the closure's own is taken for the function's.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprClosure, ExprPath, Item, Macro, Pat, PatIdent, parse_quote};

use super::Rewriter;

impl Rewriter<'_> {
    /// Has a closure that may leave the function take the context with it, if that changes nothing else. Whether it does.
    pub(super) fn close(&self, closure: &mut ExprClosure) -> bool {
        let closes = closure.capture.is_none() && self.is_closed(closure);
        if closes {
            closure.capture = Some(parse_quote!(move));
        }
        closes
    }

    fn is_closed(&self, closure: &ExprClosure) -> bool {
        let mut names = Names::default();
        closure.inputs.iter().for_each(|pat| names.visit_pat(pat));
        let parameters = names.0.clone();
        names.visit_expr(&closure.body);
        let is_local = |name: &Ident| self.rules.is_local(name) && !parameters.contains(name);
        let mut uses = Uses { own: &names.0, is_local: &is_local, any: false };
        uses.visit_expr(&closure.body);
        !uses.any
    }
}

/// What patterns bind.
#[derive(Default)]
struct Names(HashSet<Ident>);

impl Visit<'_> for Names {
    fn visit_pat_ident(&mut self, pat: &PatIdent) {
        self.0.insert(pat.ident.clone());
        visit::visit_pat_ident(self, pat);
    }

    fn visit_item(&mut self, _: &Item) {}
}

/// Whether anything is used that is the function's.
struct Uses<'a> {
    own: &'a HashSet<Ident>,
    is_local: &'a dyn Fn(&Ident) -> bool,
    any: bool,
}

impl Uses<'_> {
    fn name(&mut self, name: &Ident) {
        let named_as_a_constant = name.to_string().starts_with(|first: char| first.is_uppercase());
        self.any |= (self.is_local)(name) || !named_as_a_constant && !self.own.contains(name);
    }

    /// What a macro is given may be anything: each word in it that is a name of the function's is taken for a use.
    fn tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(name) => self.any |= name == "self" || (self.is_local)(&name),
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Literal(literal) => self.format(&literal.to_string()),
                TokenTree::Punct(_) => {}
            }
        }
    }

    /// `"{name}"`
    fn format(&mut self, literal: &str) {
        for held in literal.split('{').skip(1) {
            let is_of_a_name = |c: char| c == '_' || c.is_alphanumeric();
            let end = held.find(|c| !is_of_a_name(c)).unwrap_or(held.len());
            let name = held.get(..end).and_then(|name| syn::parse_str::<Ident>(name).ok());
            self.any |= name.is_some_and(|name| (self.is_local)(&name));
        }
    }
}

impl<'a> Visit<'a> for Uses<'_> {
    fn visit_expr_path(&mut self, path: &'a ExprPath) {
        if let Some(name) = path.path.get_ident() {
            self.name(name);
        }
        visit::visit_expr_path(self, path);
    }

    /// A function's name is no use of a local, unless it is the name of one.
    fn visit_expr_call(&mut self, call: &'a ExprCall) {
        match &*call.func {
            Expr::Path(func)
                if func.path.get_ident().is_some_and(|name| !(self.is_local)(name)) => {}
            func => self.visit_expr(func),
        }
        call.args.iter().for_each(|arg| self.visit_expr(arg));
    }

    fn visit_macro(&mut self, mac: &'a Macro) {
        self.tokens(mac.tokens.clone());
    }

    /// A pattern's constants are no uses.
    fn visit_pat(&mut self, pat: &'a Pat) {
        if !matches!(pat, Pat::Path(_)) {
            visit::visit_pat(self, pat);
        }
    }

    /// Items see no locals.
    fn visit_item(&mut self, _: &'a Item) {}
}
