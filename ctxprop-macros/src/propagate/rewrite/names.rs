//! The names of a function that hold calls which something else awaits: `let f = load(1); timeout(limit, f)`.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprAwait, ExprCall, ExprClosure, ExprMethodCall, ExprPath, ExprReference, Item,
    Local, Macro, Pat, PathArguments, Type,
};

use super::combinators::{self, Takes};
use super::shapes::{is_constructor, is_source};

/// Collections whose content is awaited.
const CONTAINERS: &[&str] = &["FuturesUnordered", "FuturesOrdered", "JoinSet"];

/// Methods that put something into them.
const PUTS: &[&str] = &["push", "push_back", "push_front", "spawn", "extend"];

/// Methods that give a call its context.
const GIVES: &[&str] = &["with", "in_current"];

#[derive(Default)]
pub(crate) struct HandedOn {
    awaited: HashSet<String>,
    containers: HashSet<String>,
    /// Those of what is used up in the function: it is in an `.await`, or pinned.
    staying: HashSet<String>,
    /// Those of what may leave the function too: it is seen outside of any `.await`, by its value.
    leaving: HashSet<String>,
    /// Those of calls that are given a context by hand.
    given: HashSet<String>,
    /// Whether there is an async closure without `move`, of which rustc does not say that it needs one.
    pub(super) lends: bool,
    /// Whether the code at hand is before an `.await`.
    in_await: bool,
    /// The name that is bound anew to what it held, as in `let s = Box::pin(s);`.
    rebound: Option<Ident>,
}

impl HandedOn {
    pub(super) fn of(body: &Block) -> HandedOn {
        let mut found = HandedOn::default();
        found.visit_block(body);
        // What is put into a collection is known once that is.
        if !found.awaited.is_empty() {
            found.visit_block(body);
        }
        found
    }

    /// Whether what is bound to that name is awaited by something else.
    pub(super) fn is_awaited(&self, name: &Ident) -> bool {
        let name = || name.to_string();
        !self.awaited.is_empty() && self.awaited.contains(&name()) && !self.given.contains(&name())
    }

    /// Whether what is bound to that name stays in the function.
    pub(super) fn stays(&self, name: &Ident) -> bool {
        let name = || name.to_string();
        !self.staying.is_empty()
            && self.staying.contains(&name())
            && !self.leaving.contains(&name())
    }

    fn insert(&mut self, name: &Ident) {
        self.awaited.insert(name.to_string());
        if self.in_await {
            self.staying.insert(name.to_string());
        }
    }

    /// Whether it is called on a collection whose content is.
    pub(super) fn is_container(&self, call: &ExprMethodCall) -> bool {
        if self.awaited.is_empty() && self.containers.is_empty() {
            return false;
        }
        let Some(name) = root(&call.receiver) else { return false };
        let name = name.to_string();
        self.containers.contains(&name) || self.awaited.contains(&name) && call.method != "spawn"
    }

    /// Whether what is handed to `expr`, a call, may leave the function: nobody knows what it does with it.
    pub(super) fn hands_away(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Call(call) => {
                combinators::function(call).is_none() && !is_constructor(call) && !is_source(call)
            }
            Expr::MethodCall(call) => {
                let name = call.method.to_string();
                combinators::method(call, true).is_none()
                    && !combinators::ITERATORS.contains(&name.as_str())
                    && !combinators::is_adaptor(&name, true)
                    && !self.is_container(call)
            }
            _ => false,
        }
    }

    /// Visits what is handed to a call, which may keep it where nobody knows the call.
    fn visit_arguments<'a>(&mut self, away: bool, args: impl Iterator<Item = &'a Expr>) {
        let outer = self.in_await;
        self.in_await &= !away;
        args.for_each(|arg| self.visit_expr(arg));
        self.in_await = outer;
    }

    fn note(&mut self, expr: &Expr) {
        match expr {
            Expr::Path(path) => {
                if let Some(name) = path.path.get_ident() {
                    self.insert(name);
                }
            }
            Expr::Array(array) => array.elems.iter().for_each(|item| self.note(item)),
            Expr::Tuple(tuple) => tuple.elems.iter().for_each(|item| self.note(item)),
            Expr::Macro(mac) if mac.mac.path.is_ident("vec") => self.note_all(&mac.mac.tokens),
            // `futures.into_iter()`, `f.boxed()`
            Expr::MethodCall(call) => {
                let name = call.method.to_string();
                let of_a_future = combinators::ITERATORS.contains(&name.as_str())
                    || combinators::is_adaptor(&name, true);
                if of_a_future && !call.args.iter().any(gives_a_context) {
                    self.note(&call.receiver);
                }
                if name == "map" {
                    call.args.iter().for_each(|arg| self.note(arg));
                }
            }
            _ => {}
        }
    }

    /// The names between the commas of a list.
    fn note_all(&mut self, tokens: &TokenStream) {
        let comma =
            |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
        for item in tokens.split(comma) {
            if let [TokenTree::Ident(name)] = item {
                self.insert(name);
            }
        }
    }

    fn arguments<'a>(&mut self, takes: &[Takes], args: impl Iterator<Item = &'a Expr>) {
        for (takes, arg) in takes.iter().zip(args) {
            if *takes != Takes::Other {
                self.note(arg);
            }
        }
    }
}

impl<'a> Visit<'a> for HandedOn {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => {
                self.visit_expr_call(call);
                self.visit_arguments(self.hands_away(expr), call.args.iter());
            }
            Expr::MethodCall(call) => {
                self.visit_expr_method_call(call);
                self.visit_arguments(self.hands_away(expr), call.args.iter());
            }
            expr => visit::visit_expr(self, expr),
        }
    }

    fn visit_expr_call(&mut self, call: &'a ExprCall) {
        if let Some(known) = combinators::function(call) {
            self.arguments(known.takes, call.args.iter());
        }
        if !matches!(*call.func, Expr::Path(_)) {
            self.visit_expr(&call.func);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
        let name = call.method.to_string();
        if let Some(known) = combinators::method(call, false).filter(|known| known.sure) {
            self.arguments(known.takes, call.args.iter());
        } else if combinators::is_adaptor(&name, false)
            || combinators::BUFFERS.contains(&name.as_str())
        {
            self.note(&call.receiver);
        } else if PUTS.contains(&name.as_str()) && self.is_container(call) {
            call.args.iter().for_each(|arg| self.note(arg));
        }
        if let Expr::Path(path) = &*call.receiver
            && let Some(receiver) = path.path.get_ident()
        {
            if GIVES.contains(&name.as_str()) {
                self.given.insert(receiver.to_string());
            }
            // What is asked something stays where it is.
            if !combinators::is_adaptor(&name, true)
                && !combinators::ITERATORS.contains(&name.as_str())
            {
                return;
            }
        }
        self.visit_expr(&call.receiver);
    }

    fn visit_expr_closure(&mut self, closure: &'a ExprClosure) {
        self.lends |= closure.asyncness.is_some() && closure.capture.is_none();
        visit::visit_expr_closure(self, closure);
    }

    fn visit_expr_path(&mut self, path: &'a ExprPath) {
        if let Some(name) = path.path.get_ident()
            && !self.in_await
            && self.rebound.as_ref() != Some(name)
        {
            self.leaving.insert(name.to_string());
        }
    }

    fn visit_expr_reference(&mut self, reference: &'a ExprReference) {
        if !matches!(*reference.expr, Expr::Path(_)) {
            visit::visit_expr_reference(self, reference);
        }
    }

    fn visit_expr_await(&mut self, awaited: &'a ExprAwait) {
        let outer = std::mem::replace(&mut self.in_await, true);
        if let Some(name) = chain_root(&awaited.base) {
            self.staying.insert(name.to_string());
        }
        if let Expr::MethodCall(call) = &*awaited.base
            && let Some(known) = combinators::method(call, true)
        {
            self.arguments(known.takes, call.args.iter());
        }
        visit::visit_expr_await(self, awaited);
        self.in_await = outer;
    }

    fn visit_block(&mut self, block: &'a Block) {
        let outer = std::mem::replace(&mut self.in_await, false);
        visit::visit_block(self, block);
        self.in_await = outer;
    }

    fn visit_macro(&mut self, mac: &'a Macro) {
        if mac.path.segments.last().is_some_and(|last| last.ident == "pin") {
            let outer = std::mem::replace(&mut self.in_await, true);
            self.note_all(&mac.tokens);
            self.in_await = outer;
        }
    }

    fn visit_local(&mut self, local: &'a Local) {
        let (pat, ty) = match &local.pat {
            Pat::Type(typed) => (&*typed.pat, Some(&*typed.ty)),
            pat => (pat, None),
        };
        if let Pat::Ident(name) = pat {
            let of_type = ty.is_some_and(|ty| matches!(ty, Type::Path(ty) if is_one(&ty.path)));
            let collected = |call: &ExprMethodCall| {
                call.turbofish.as_ref().is_some_and(|turbofish| {
                    turbofish.args.iter().any(|arg| {
                        matches!(arg, syn::GenericArgument::Type(Type::Path(ty)) if is_one(&ty.path))
                    })
                })
            };
            let made = local.init.as_ref().is_some_and(|init| match &*init.expr {
                Expr::Call(call) => matches!(&*call.func, Expr::Path(path) if is_one(&path.path)),
                Expr::MethodCall(call) => collected(call),
                _ => false,
            });
            if of_type || made {
                self.containers.insert(name.ident.to_string());
                self.awaited.insert(name.ident.to_string());
            }
            let outer = self.rebound.replace(name.ident.clone());
            visit::visit_local(self, local);
            self.rebound = outer;
            return;
        }
        visit::visit_local(self, local);
    }

    /// Another function's.
    fn visit_item(&mut self, _: &'a Item) {}
}

/// Whether `closure` is one that gives a context to the calls that it is given: `|call| call.with(&ctx)`.
pub(super) fn gives_a_context(closure: &Expr) -> bool {
    struct Gives(bool);
    impl<'a> Visit<'a> for Gives {
        fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
            self.0 |= GIVES.iter().any(|name| call.method == name)
                && matches!(*call.receiver, Expr::Path(_));
            visit::visit_expr_method_call(self, call);
        }
    }
    let Expr::Closure(closure) = closure else { return false };
    let mut gives = Gives(false);
    gives.visit_expr(&closure.body);
    gives.0
}

fn is_one(path: &syn::Path) -> bool {
    path.segments.iter().any(|segment| {
        CONTAINERS.iter().any(|name| segment.ident == name)
            && !matches!(segment.arguments, PathArguments::Parenthesized(_))
    })
}

/// The variable that a chain of methods starts from.
fn chain_root(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::MethodCall(call) => chain_root(&call.receiver),
        expr => root(expr),
    }
}

/// The variable that an expression of fields starts from.
pub(super) fn root(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(path) => path.path.get_ident(),
        Expr::Field(field) => root(&field.base),
        Expr::Paren(paren) => root(&paren.expr),
        Expr::Reference(reference) => root(&reference.expr),
        Expr::Index(index) => root(&index.expr),
        _ => None,
    }
}
