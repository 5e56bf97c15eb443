//! Where a body comes to mean another context by a name: patterns that bind it, assignments, `ctx.clone_from(&other)`, and the
//! same in macros.
//!
//! A macro is looked at by its tokens. Where those may bind the name and do not, nothing is lost but instructions.

use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprAsync, ExprClosure, ExprMethodCall, Item, Macro, Pat, PatIdent, UnOp};

use crate::propagate::macros;

/// Finds a name among what is bound.
pub(super) struct Binds<'a> {
    name: &'a Ident,
    pub(super) found: Option<Ident>,
    pub(super) assigned: bool,
    /// Whether closures are made beside.
    pub(super) closures: bool,
    /// Whether one of them is without `move`.
    pub(super) lends: bool,
}

impl<'a> Binds<'a> {
    pub(super) fn of(name: &'a Ident) -> Self {
        Binds { name, found: None, assigned: false, closures: false, lends: false }
    }

    /// What is bound in `body`, as far as it is of the same frame.
    pub(super) fn in_body(name: &'a Ident, body: &'a Block) -> Self {
        let mut binds = Binds::of(name);
        binds.visit_block(body);
        binds
    }
}

/// The name, where `pat` binds it.
pub(super) fn in_pattern(pat: &Pat, name: &Ident) -> Option<Ident> {
    let mut binds = Binds::of(name);
    binds.visit_pat(pat);
    binds.found
}

impl<'a> Visit<'a> for Binds<'a> {
    fn visit_pat_ident(&mut self, pat: &'a PatIdent) {
        if pat.ident == *self.name {
            self.found = Some(pat.ident.clone());
        }
        visit::visit_pat_ident(self, pat);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Some(name) = assigned(expr, self.name) {
            self.found = Some(name.clone());
            self.assigned = true;
        }
        visit::visit_expr(self, expr);
    }

    fn visit_macro(&mut self, mac: &'a Macro) {
        if macros::has_fields(mac) {
            return;
        }
        let mut scan = Scan { name: self.name, found: None, closures: false };
        scan.tokens(&mac.tokens);
        self.found = self.found.take().or(scan.found);
        self.closures |= scan.closures;
    }

    // They are frames of their own.
    fn visit_expr_async(&mut self, _: &'a ExprAsync) {}
    fn visit_expr_closure(&mut self, closure: &'a ExprClosure) {
        self.closures = true;
        self.lends |= closure.capture.is_none();
    }
    fn visit_item(&mut self, _: &'a Item) {}
}

/// The name, where `expr` gives it another value: by an assignment, or by `clone_from`, which clippy asks for in place of one.
pub(super) fn assigned<'a>(expr: &'a Expr, name: &Ident) -> Option<&'a Ident> {
    match expr {
        Expr::Assign(assign) => assigned_in(&assign.left, name),
        Expr::MethodCall(ExprMethodCall { method, receiver, .. }) if method == "clone_from" => {
            place_of(receiver, name)
        }
        _ => None,
    }
}

/// Where that value is then: `ctx`, or `*ctx`.
pub(super) fn assigned_place(expr: &Expr, name: &Ident) -> TokenStream {
    let mut place = match expr {
        Expr::Assign(assign) => &*assign.left,
        Expr::MethodCall(call) => &*call.receiver,
        _ => return name.into_token_stream(),
    };
    while let Expr::Paren(paren) = place {
        place = &paren.expr;
    }
    match place_of(place, name) {
        Some(_) => place.into_token_stream(),
        None => name.into_token_stream(),
    }
}

/// The name, where an assignment to `left` binds it: also among others, as in `(ctx, rest) = pair`.
fn assigned_in<'a>(left: &'a Expr, name: &Ident) -> Option<&'a Ident> {
    let mut parts = match left {
        Expr::Struct(of) => return of.fields.iter().find_map(|of| assigned_in(&of.expr, name)),
        Expr::Tuple(tuple) => tuple.elems.iter(),
        Expr::Array(array) => array.elems.iter(),
        Expr::Call(call) => call.args.iter(),
        left => return place_of(left, name),
    };
    parts.find_map(|part| assigned_in(part, name))
}

/// The name, where `expr` is the variable, or what it points at.
pub(super) fn place_of<'a>(expr: &'a Expr, name: &Ident) -> Option<&'a Ident> {
    match expr {
        Expr::Path(path) => path.path.get_ident().filter(|found| *found == name),
        Expr::Paren(paren) => place_of(&paren.expr, name),
        Expr::Group(group) => place_of(&group.expr, name),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Deref(_)) => place_of(&unary.expr, name),
        _ => None,
    }
}

/// The name, where `mac` may bind it for the statements behind: `bind!(ctx = ..)`.
pub(super) fn in_macro(mac: &Macro, name: &Ident) -> Option<Ident> {
    let mut scan = Scan { name, found: None, closures: false };
    scan.tokens(&mac.tokens);
    scan.found
}

/// Looks for the name in what may be a pattern: before a `=` or `=>`, behind a `let` or `for`.
struct Scan<'a> {
    name: &'a Ident,
    found: Option<Ident>,
    closures: bool,
}

impl Scan<'_> {
    fn tokens(&mut self, tokens: &TokenStream) {
        // What was named since the last place where a pattern may begin.
        let mut named = None;
        let mut in_pattern = true;
        let mut joint = false;
        let mut tokens = tokens.clone().into_iter().peekable();
        while let Some(token) = tokens.next() {
            let follows_joint = std::mem::take(&mut joint);
            match token {
                TokenTree::Group(group) => {
                    let inside = group.stream();
                    if in_pattern {
                        named = named.or_else(|| mentioned(inside.clone(), self.name));
                    }
                    self.tokens(&inside);
                    if group.delimiter() == Delimiter::Brace {
                        in_pattern = true;
                    }
                }
                TokenTree::Ident(word) if word == "let" || word == "for" => {
                    (in_pattern, named) = (true, None);
                }
                TokenTree::Ident(word) if (word == "if" || word == "in") && in_pattern => {
                    self.found = self.found.take().or_else(|| named.take());
                    in_pattern = false;
                }
                TokenTree::Ident(word) if in_pattern && word == *self.name => named = Some(word),
                TokenTree::Ident(word) if word == "clone_from" => {
                    let name = || Ident::new(&self.name.to_string(), word.span());
                    self.found = self.found.take().or_else(|| Some(name()));
                }
                TokenTree::Ident(_) | TokenTree::Literal(_) => {}
                TokenTree::Punct(punct) => {
                    joint = punct.spacing() == Spacing::Joint;
                    match punct.as_char() {
                        // Neither a part of `<=` nor of `==`.
                        '=' if !follows_joint && in_pattern => {
                            let compares = joint
                                && matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '=');
                            if !compares {
                                self.found = self.found.take().or_else(|| named.take());
                                in_pattern = false;
                            }
                        }
                        ',' | ';' => (in_pattern, named) = (true, None),
                        // Of a closure, or of a pattern.
                        '|' => self.closures = true,
                        _ => {}
                    }
                }
            }
        }
    }
}

fn mentioned(tokens: TokenStream, name: &Ident) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Group(group) => mentioned(group.stream(), name),
        TokenTree::Ident(found) if found == *name => Some(found),
        _ => None,
    })
}
