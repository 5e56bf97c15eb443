//! Calls that are made in a body and awaited by something else. They carry their context as async blocks do:
//! `join_all(ids.map(|id| load(id)))` becomes `join_all(ids.map(|id| load(id).propagated_called(&propagated_ctx)))`, a method that
//! is inherent for calls of `#[propagate]` functions and gives back all else.
//!
//! Where a future can be meant is told by `combinators.rs`. The calls there are marked by an attribute before they are visited,
//! and changed once they were.
//!
//! # Invariants
//! 1. What compiles as a plain `async fn` compiles: the method is not called where the type of its receiver may be told by
//!    what comes later.
//! 2. A closure without `move` borrows no context unless it stays in the function: it is used in what is awaited, and not
//!    handed to who knows what, or borrows something already. Where the name of the context is assigned, it borrows none.

use proc_macro2::{Ident, Span};
use quote::{ToTokens, quote_spanned};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprCall, ExprMethodCall, Local, Pat, ReturnType, Token, parse_quote};

use super::combinators::{self, Combinator, Takes};
use super::names::gives_a_context;
use super::shapes::{borrows, each_tail, is_constructor, is_self, is_source};
use super::{BodyKind, Rewriter};
use crate::propagate::macros::Said;

/// Marks a call, or a closure that may borrow the context.
const MARK: &str = "propagated_carried";

fn mark() -> Attribute {
    let mark = Ident::new(MARK, Span::mixed_site());
    parse_quote!(#[#mark])
}

/// Marks a closure that is called once, and takes the context with it.
const ONCE: &str = "propagated_once";

fn once() -> Attribute {
    let once = Ident::new(ONCE, Span::mixed_site());
    parse_quote!(#[#once])
}

/// Takes that mark off.
pub(super) fn take_once(attrs: &mut Vec<Attribute>) -> bool {
    let before = attrs.len();
    attrs.retain(|attr| !attr.path().is_ident(ONCE));
    attrs.len() != before
}

/// Takes the mark off.
pub(super) fn take_mark(attrs: &mut Vec<Attribute>) -> bool {
    let before = attrs.len();
    attrs.retain(|attr| !attr.path().is_ident(MARK));
    attrs.len() != before
}

/// How what is marked is known.
#[derive(Clone, Copy)]
struct Position {
    /// Whether methods are marked too.
    sure: bool,
    /// Whether closures there may borrow.
    stays: bool,
}

impl Rewriter<'_> {
    /// Marks what `expr` awaits or hands to what does.
    pub(super) fn mark_in(&mut self, expr: &mut Expr) {
        if self.frame.kind == BodyKind::Plain {
            return;
        }
        match expr {
            Expr::Call(call) => {
                if let Some(known) = combinators::function(call) {
                    self.mark_arguments(known, self.here.stays, &mut call.args);
                }
            }
            Expr::MethodCall(call) => self.mark_in_method(call, false),
            _ => {}
        }
    }

    /// What a name is bound to that is given to something which awaits it. Whether that stays in the function.
    pub(super) fn mark_bound(&mut self, local: &mut Local) -> bool {
        let pat = match &local.pat {
            Pat::Type(typed) => &*typed.pat,
            pat => pat,
        };
        let Pat::Ident(name) = pat else { return false };
        let Some(init) = &mut local.init else { return false };
        let stays = self.handed_on.stays(&name.ident);
        if self.handed_on.is_awaited(&name.ident) {
            self.mark_futures(&mut init.expr, Position { sure: true, stays }, true);
        }
        stays
    }

    /// What is pinned is a future, or a stream.
    pub(crate) fn mark_pinned(&mut self, expr: &mut Expr) {
        if self.frame.kind != BodyKind::Plain {
            self.mark_future(expr, Position { sure: true, stays: true });
        }
    }

    fn mark_arguments(
        &self,
        known: Combinator,
        stays: bool,
        args: &mut Punctuated<Expr, Token![,]>,
    ) {
        let position = Position { sure: known.sure, stays };
        for (takes, arg) in known.takes.iter().zip(args) {
            match takes {
                Takes::Other => {}
                Takes::Future => self.mark_future(arg, position),
                Takes::Futures => self.mark_futures(arg, position, true),
                Takes::Maker(arity) => self.mark_maker(arg, *arity, position),
                Takes::Later(arity) => {
                    self.mark_maker(arg, *arity, Position { stays: true, ..position });
                    if let Expr::Closure(closure) = arg
                        && closure.capture.is_none()
                        && take_mark(&mut closure.attrs)
                    {
                        closure.attrs.push(once());
                    }
                }
            }
        }
    }

    fn mark_in_method(&self, call: &mut ExprMethodCall, awaited: bool) {
        let name = call.method.to_string();
        let stays = awaited || self.here.stays;
        let position = Position { sure: true, stays };
        if let Some(known) = combinators::method(call, awaited) {
            self.mark_arguments(known, stays, &mut call.args);
        } else if combinators::BUFFERS.contains(&name.as_str()) {
            self.mark_futures(&mut call.receiver, position, false);
        } else if self.handed_on.is_container(call) {
            for arg in &mut call.args {
                match name.as_str() {
                    "extend" => self.mark_futures(arg, position, true),
                    "spawn" | "push" | "push_back" | "push_front" => {
                        self.mark_future(arg, position);
                    }
                    _ => {}
                }
            }
        } else if combinators::is_adaptor(&name, false) {
            self.mark_future(&mut call.receiver, position);
        }
    }

    /// What is inside of the expression before an `.await`, which itself needs no mark.
    pub(super) fn mark_awaited(&self, base: &mut Expr) {
        match base {
            Expr::Paren(paren) => self.mark_awaited(&mut paren.expr),
            Expr::Call(call) if combinators::function(call).is_none() => {
                let known = match &*call.func {
                    Expr::Path(func) => {
                        func.path.segments.last().map(|last| last.ident.to_string())
                    }
                    _ => None,
                };
                if known.is_none_or(|name| !combinators::GIVE_VALUES.contains(&name.as_str())) {
                    self.mark_unknown(&mut call.args);
                }
            }
            Expr::MethodCall(call) => {
                let name = call.method.to_string();
                let known = combinators::method(call, true).is_some()
                    || combinators::BUFFERS.contains(&name.as_str())
                    || combinators::OF_A_CONTEXT.contains(&name.as_str())
                    || combinators::ITERATORS.contains(&name.as_str())
                    || combinators::is_adaptor(&name, true);
                if !known {
                    self.mark_unknown(&mut call.args);
                }
                self.mark_chain(call);
            }
            _ => {}
        }
    }

    /// The links of an awaited chain: each is a stream or a future, or makes one.
    fn mark_chain(&self, call: &mut ExprMethodCall) {
        let name = call.method.to_string();
        self.mark_in_method(call, true);
        if combinators::is_adaptor(&name, true) {
            let position = Position { sure: true, stays: true };
            self.mark_future(&mut call.receiver, position);
        }
        if let Expr::MethodCall(receiver) = &mut *call.receiver {
            self.mark_chain(receiver);
        }
    }

    /// The arguments of what nobody knows, and is awaited.
    fn mark_unknown(&self, args: &mut Punctuated<Expr, Token![,]>) {
        let position = Position { sure: false, stays: false };
        for arg in args {
            match arg {
                // what takes nothing may be anything, `random()`, unless its name tells: `shutdown_signal()`
                Expr::Call(call) if !call.args.is_empty() || combinators::is_signal(call) => {
                    self.mark_future(arg, position);
                }
                Expr::Closure(_) => self.mark_maker(arg, 0, position),
                _ => {}
            }
        }
    }

    /// What is a future, if anything.
    fn mark_future(&self, expr: &mut Expr, position: Position) {
        match expr {
            Expr::Call(call) => match is_constructor(call) {
                true => call.args.iter_mut().for_each(|arg| self.mark_future(arg, position)),
                false => mark_call(call, position),
            },
            Expr::MethodCall(call) => {
                let name = call.method.to_string();
                if combinators::is_adaptor(&name, true) {
                    self.mark_future(&mut call.receiver, position);
                } else if combinators::ITERATORS.contains(&name.as_str()) {
                    // no future, whatever it is
                } else if !combinators::GIVE_VALUES.contains(&name.as_str())
                    && (position.sure || is_self(&call.receiver))
                    && combinators::method(call, true).is_none()
                    && !combinators::BUFFERS.contains(&name.as_str())
                {
                    note(&mut call.attrs);
                }
            }
            Expr::Closure(_) => self.mark_maker(expr, 0, position),
            other => each_tail(other, &mut |tail| self.mark_future(tail, position)),
        }
    }

    /// What gives futures: a collection, or an iterator. `one` says that it may be a single one too.
    fn mark_futures(&self, expr: &mut Expr, position: Position, one: bool) {
        match expr {
            Expr::MethodCall(call) => {
                let name = call.method.to_string();
                if !combinators::ITERATORS.contains(&name.as_str()) {
                    if one {
                        self.mark_future(expr, position);
                    }
                    return;
                }
                // a method of it is called, so its type is known
                if !call.args.iter().any(gives_a_context) {
                    self.mark_futures(&mut call.receiver, position, true);
                }
                for arg in &mut call.args {
                    match name.as_str() {
                        // what the closure gives is the item
                        "map" | "map_ok" | "filter_map" | "flat_map" => {
                            self.mark_maker(arg, 1, position.surely());
                        }
                        "chain" => self.mark_futures(arg, position, false),
                        _ => {}
                    }
                }
            }
            // `stream::iter(..)`, `repeat_with(..)`
            Expr::Call(call) if is_source(call) => {
                call.args.iter_mut().for_each(|arg| self.mark_futures(arg, position, false));
            }
            Expr::Call(_) if !one => {}
            Expr::Macro(mac) if mac.mac.path.is_ident("vec") && self.rules.said != Said::Skip => {
                let list = Punctuated::<Expr, Token![,]>::parse_terminated;
                if let Ok(mut items) = list.parse2(mac.mac.tokens.clone()) {
                    items.iter_mut().for_each(|item| self.mark_future(item, position));
                    mac.mac.tokens = items.into_token_stream();
                }
            }
            other => self.mark_future(other, position),
        }
    }

    /// What makes a future: a closure, or a function that is passed on.
    fn mark_maker(&self, expr: &mut Expr, arity: usize, position: Position) {
        match expr {
            Expr::Closure(closure) if closure.asyncness.is_none() => {
                if !matches!(closure.output, ReturnType::Default) {
                    return;
                }
                // that of `bool::then` has none
                if arity != 0 && closure.inputs.len() != arity {
                    return;
                }
                if closure.capture.is_none()
                    && !position.stays
                    && !borrows(closure)
                    && !(position.sure && self.close(closure))
                {
                    return;
                }
                self.mark_future(&mut closure.body, Position { stays: true, ..position });
                note(&mut closure.attrs);
            }
            Expr::Path(function)
                if position.stays
                    && position.sure
                    && function.qself.is_none()
                    && combinators::may_be_ours(&function.path, true)
                    && function.path.get_ident().is_none_or(|name| !self.rules.is_local(name)) =>
            {
                let site = Span::mixed_site();
                let args: Vec<_> =
                    (0..arity).map(|n| Ident::new(&format!("arg{n}"), site)).collect();
                let mark = mark();
                *expr = parse_quote!(#mark |#(#args),*| #mark #function(#(#args),*));
            }
            Expr::Async(_) | Expr::Path(_) | Expr::Closure(_) => {}
            // `moka`'s take a future where others take what makes one
            other => self.mark_future(other, position),
        }
    }

    /// What a marked call becomes, once what is in it was rewritten.
    pub(super) fn carried(&mut self, call: &Expr) -> Option<Expr> {
        if self.here.in_closure && !self.here.may_borrow {
            return None;
        }
        let at = match call {
            Expr::Call(call) => match &*call.func {
                Expr::Path(func) => func.path.segments.last()?.ident.span(),
                _ => return None,
            },
            Expr::MethodCall(call) => call.method.span(),
            _ => return None,
        };
        self.frame.carries = true;
        let site = Span::mixed_site().located_at(at);
        let ctx = self.meant(at);
        Some(Expr::Verbatim(if self.here.in_closure {
            self.frame.uses_ctx = true;
            match self.here.once {
                // Used as a value it moves into the closure.
                true => quote_spanned!(site=> #call.propagated_called(&{ #ctx })),
                false => quote_spanned!(site=> #call.propagated_called(&#ctx)),
            }
        } else if self.frame.renames {
            quote_spanned!(site=> #call.propagated_under(&#ctx))
        } else {
            quote_spanned!(site=> #call.propagated_here())
        }))
    }
}

fn mark_call(call: &mut ExprCall, position: Position) {
    let Expr::Path(func) = &*call.func else { return };
    if combinators::may_be_ours(&func.path, position.sure) && combinators::function(call).is_none()
    {
        note(&mut call.attrs);
    }
}

impl Position {
    fn surely(self) -> Self {
        Position { sure: true, ..self }
    }
}

fn note(attrs: &mut Vec<Attribute>) {
    if !attrs.iter().any(|attr| attr.path().is_ident(MARK)) {
        attrs.push(mark());
    }
}
