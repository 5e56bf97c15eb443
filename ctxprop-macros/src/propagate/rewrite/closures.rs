//! Closures inside a body: those that make futures carry the context.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{
    Block, Expr, ExprAsync, ExprClosure, ReturnType, StmtMacro, Type, parse_quote,
    parse_quote_spanned,
};

use super::carried::{take_mark, take_once};
use super::shapes::borrows;
use super::{Here, Rewriter, binds};
use crate::propagate::bodies::Binding;
use crate::propagate::types;

impl Rewriter<'_> {
    /// A closure that awaits or makes async blocks carries the context: borrowed, so that rustc's hint to
    /// use `move` is right, or cloned where it says `move`.
    pub(super) fn rewrite_closure(&mut self, closure: &mut ExprClosure) -> Option<Expr> {
        let used_before = std::mem::replace(&mut self.frame.uses_ctx, false);
        let marked = take_mark(&mut closure.attrs);
        let once = take_once(&mut closure.attrs);
        self.changes += usize::from(marked || once);
        if !std::mem::take(&mut self.here.named) && !self.here.stays && !once {
            self.close(closure);
        }
        let outer = self.here;
        let may_borrow = (!outer.in_closure || outer.may_borrow)
            && (once
                || closure.capture.is_some()
                || !self.frame.assigns && (marked || borrows(closure)));
        let named = self.named_in_inputs(closure);
        let bound = named.is_some();
        self.here = Here { in_closure: true, may_borrow, stays: false, once, bound, named: false };
        closure.inputs.iter_mut().for_each(|pat| self.visit_pat_mut(pat));
        if closure.asyncness.is_some() {
            self.rewrite_async_closure(closure);
        } else {
            self.visit_expr_mut(&mut closure.body);
        }
        // The block of an async one binds its parameters itself.
        if let Some(name) = named.filter(|_| closure.asyncness.is_none()) {
            self.rename_before(&mut closure.body, &name);
        }
        let uses_ctx = std::mem::replace(&mut self.frame.uses_ctx, used_before);
        self.here = outer;
        self.frame.uses_ctx |= uses_ctx;
        if !uses_ctx || closure.capture.is_none() && !once {
            return None;
        }
        let site = Span::mixed_site();
        let (private, ctx) = (self.private(site), self.frame.ctx(closure.inputs_begin.span()));
        Some(parse_quote_spanned! {site=> {
            let #ctx = #private::Clone::clone(&#ctx);
            #closure
        }})
    }

    /// The name of the context, where a parameter binds it.
    fn named_in_inputs(&self, closure: &ExprClosure) -> Option<Ident> {
        let name = self.name.as_ref()?;
        closure.inputs.iter().find_map(|pat| binds::in_pattern(pat, name))
    }

    /// Visits what is inside of an expression. A closure that is handed to who knows what need not stay in the function, also
    /// where that is awaited: it may ask for `'static`.
    pub(super) fn visit_parts(&mut self, expr: &mut Expr) {
        if !self.here.stays || !self.handed_on.hands_away(expr) {
            return visit_mut::visit_expr_mut(self, expr);
        }
        match expr {
            Expr::MethodCall(call) => {
                self.visit_expr_mut(&mut call.receiver);
                self.here.stays = false;
                call.args.iter_mut().for_each(|arg| self.visit_expr_mut(arg));
                self.here.stays = true;
            }
            other => {
                self.here.stays = false;
                visit_mut::visit_expr_mut(self, other);
                self.here.stays = true;
            }
        }
    }

    /// The body of an async closure becomes a scope inside it. It borrows what the closure captured, so that it can
    /// be called again, and owns the arguments, so that it is `Send` as before.
    fn rewrite_async_closure(&mut self, closure: &mut ExprClosure) {
        let arguments: Vec<_> =
            closure.inputs.iter_mut().flat_map(|pat| Binding::of_pattern(&[], pat)).collect();
        let async_token = closure.asyncness.unwrap_or_default();
        // What the closure says it returns is told to the block, as to the body of a function.
        let returned = match &closure.output {
            ReturnType::Type(_, ty) if !matches!(**ty, Type::Never(_)) => {
                Some(types::returned(ty, self.private))
            }
            _ => None,
        };
        let (braces, written) = match &*closure.body {
            Expr::Block(body) if body.label.is_none() => {
                let (braces, stmts) = (body.block.brace_token.span.join(), &body.block.stmts);
                (braces, quote!(#(#stmts)*))
            }
            body => (body.span(), body.to_token_stream()),
        };
        let in_braces = |content: TokenStream| {
            let mut block = Group::new(Delimiter::Brace, content);
            block.set_span(braces);
            block
        };
        let block = in_braces(quote!(#returned #(#arguments)* #written));
        let mut block: ExprAsync = parse_quote!(#async_token #block);
        self.visit_async_body(&mut block);
        let scoped = self.scoped(&block, closure.inputs_begin.span());
        let awaited = in_braces(quote_spanned!(braces=> #scoped.await));
        *closure.body = parse_quote!(#awaited);
    }
}

/// Whether a block holds values alone: nothing in it awaits, is called, or is a macro, so that no context can matter to it.
pub(super) fn asks_for_nothing(block: &Block) -> bool {
    struct Asks(bool);
    impl<'a> Visit<'a> for Asks {
        fn visit_expr(&mut self, expr: &'a Expr) {
            match expr {
                Expr::Await(_)
                | Expr::MethodCall(_)
                | Expr::Macro(_)
                | Expr::Async(_)
                | Expr::Closure(_) => {
                    self.0 = true;
                }
                // A type's constructor: `Json(value)`.
                Expr::Call(call) if !is_constructor(&call.func) => self.0 = true,
                expr => visit::visit_expr(self, expr),
            }
        }

        fn visit_stmt_macro(&mut self, _: &'a StmtMacro) {
            self.0 = true;
        }
    }
    let mut asks = Asks(false);
    asks.visit_block(block);
    !asks.0
}

fn is_constructor(func: &Expr) -> bool {
    let Expr::Path(path) = func else { return false };
    let name = path.path.segments.last().map(|last| last.ident.to_string());
    name.is_some_and(|name| name.starts_with(|first: char| first.is_uppercase()))
}
