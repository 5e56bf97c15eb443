//! Awaits, and async blocks, which carry the context as a value wherever they are polled.

use proc_macro2::Span;
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{Expr, ExprAsync, ExprAwait, parse_quote};

use super::{BodyKind, Frame, Rewriter, called, closures, how, strip_parens};
use crate::propagate::neighbours;

impl Rewriter<'_> {
    pub(super) fn rewrite_await(&mut self, expr: &mut ExprAwait) -> Expr {
        let asked = std::mem::take(&mut self.asked);
        if neighbours::is_the_body(&expr.base) {
            // its leaves use what stands before it
            self.frame.awaits = true;
            return Expr::Await(expr.clone());
        }
        let start = expr.base.span();
        strip_parens(&mut expr.base);
        match &mut *expr.base {
            // Polled in place, so its context is current already and it needs no scope.
            Expr::Async(block) => {
                self.visit_async_body(block);
            }
            base => self.visit_awaited(base),
        }
        let mut rewritten = self.awaited(&expr.base, start, expr.await_token.span, asked);
        if !expr.attrs.is_empty() {
            let attrs = &expr.attrs;
            rewritten = parse_quote!(#(#attrs)* #rewritten);
        }
        rewritten
    }

    /// Rewrites what is inside an async block, as a frame of its own. Says whether it is the function's body, or
    /// holds it.
    pub(super) fn visit_async_body(&mut self, block: &mut ExprAsync) -> bool {
        let kind =
            if neighbours::is_whole_body(block) { BodyKind::Function } else { BodyKind::Block };
        let is_around_body = neighbours::is_around_body(block);
        let borrows = kind == BodyKind::Block && block.capture.is_none();
        let outer = self.enter(Frame { kind, borrows, ..Frame::default() });
        self.look_for_names(&block.block);
        // A future is polled, and what polls it may go on meanwhile.
        let blocking = self.rules.begin_blocking(false);
        self.visit_block_mut(&mut block.block);
        self.rules.end_blocking(blocking);
        let mut frame = self.leave(outer);
        // It counts what is refused in it.
        if frame.uses_how
            && let Some(question) = &self.returns
        {
            frame.uses_how = false;
            let (private, how) = (self.private(Span::mixed_site()), how());
            let used = parse_quote! {
                #[allow(unused_imports)]
                use #private::{CannotBeSaid as _, CannotSayCancelled as _};
            };
            let local = parse_quote!(let #how = #question.how(););
            block.block.stmts.splice(0..0, [used, local]);
        }
        self.frame.uses_how |= frame.uses_how;
        self.frame.branches |= frame.branches;
        self.frame.carries |= frame.carries;
        if frame.uses_ctx {
            let local = self.local_ctx(&frame, block.async_token.span);
            block.block.stmts.insert(0, local);
        }
        kind == BodyKind::Function || is_around_body
    }

    /// Wraps an async block, where it is made, in a scope of the context there.
    pub(super) fn rewrite_async(&mut self, block: &mut ExprAsync) -> Option<Expr> {
        // `get(|| async { "hello" })` asks for nothing, and has nothing to capture.
        if self.here.in_closure && closures::asks_for_nothing(&block.block) {
            return None;
        }
        let is_body = self.visit_async_body(block);
        (!is_body).then(|| self.scoped(block, block.async_token.span))
    }

    /// The future `future` in a scope of the context at hand.
    pub(super) fn scoped(&mut self, future: &impl ToTokens, at: Span) -> Expr {
        self.changed();
        let site = called(at);
        let private = self.private(site);
        let ctx = self.meant(at);
        Expr::Verbatim(if self.here.in_closure {
            self.frame.uses_ctx = true;
            quote_spanned!(site=> #private::block_called(&#ctx, #future))
        } else if self.frame.renames {
            quote_spanned!(site=> #private::block_under(#private::Ctx::clone(&#ctx), #future))
        } else {
            quote_spanned!(site=> #private::block_here(#future))
        })
    }
}
