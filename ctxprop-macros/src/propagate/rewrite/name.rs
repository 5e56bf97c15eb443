//! The name of the context, where a function binds it anew: `let ctx = ctx.with_timeout(limit);`. What is passed on is what the
//! name means, so the local `propagated_ctx` follows it: after each such binding stands one of that, in the same block.
//!
//! Only functions that name their context have such a name, and only those that bind it again pay for it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Block, Expr, Pat, Stmt, Token, parse_quote_spanned};

use super::binds::{self, Binds};
use super::{BodyKind, Rewriter};
use crate::propagate::macros;

/// How a statement binds the name.
pub(super) enum Named {
    /// To a value.
    To(Ident),
    /// To one that is assigned later, so that what the name means outside stays what it is.
    Later(Ident),
}

impl Rewriter<'_> {
    /// Notes whether the frame that begins with `body` binds the name anew.
    pub(super) fn look_for_names(&mut self, body: &Block) {
        self.frame.lends = self.handed_on.lends;
        let Some(name) = self.name.clone() else { return };
        let binds = Binds::in_body(&name, body);
        self.frame.renames = binds.found.is_some();
        self.frame.assigns = binds.assigned;
        self.frame.captures_both = binds.found.is_some() && binds.closures;
        self.frame.lends |= binds.found.is_some() && binds.lends;
        self.frame.uses_ctx |= self.frame.renames;
    }

    /// The context that the awaits at hand run under, where that need not be the one of the function.
    pub(crate) fn rebound(&self, at: Span) -> Option<TokenStream> {
        // Its place, and the names that the user's own code sees.
        self.frame.renames.then(|| self.meant(at.resolved_at(Span::call_site())))
    }

    /// What closures carry, and what the awaits of a function run under that binds the name anew.
    pub(super) fn meant(&self, at: Span) -> TokenStream {
        match &self.guarded {
            // No local can stand between a pattern and its guard.
            Some(name) => self.renamed(name).1,
            None => self.frame.ctx(at).into_token_stream(),
        }
    }

    /// The name, where what is bound by `found` has to be followed.
    fn named_by_visit(&self, found: impl FnOnce(&Ident) -> Option<Ident>) -> Option<Ident> {
        let follows = self.here.in_closure || self.frame.renames;
        found(self.name.as_ref().filter(|_| follows)?)
    }

    /// The name, where `pat` binds it.
    pub(crate) fn named_in(&self, pat: &Pat) -> Option<Ident> {
        self.named_by_visit(|name| binds::in_pattern(pat, name))
    }

    /// The name, where a `let` in a condition binds it.
    pub(super) fn named_in_condition(&self, condition: &Expr) -> Option<Ident> {
        match condition {
            Expr::Let(condition) => self.named_in(&condition.pat),
            Expr::Binary(both) => {
                self.named_in_condition(&both.right).or_else(|| self.named_in_condition(&both.left))
            }
            _ => None,
        }
    }

    /// The name, where a statement binds it.
    pub(super) fn named_by(&self, stmt: &Stmt) -> Option<Named> {
        match stmt {
            Stmt::Local(local) if local.init.is_some() => self.named_in(&local.pat).map(Named::To),
            Stmt::Local(local) => self.named_in(&local.pat).map(Named::Later),
            Stmt::Macro(stmt) if macros::is_left_alone(&stmt.mac, self.rules.said) => {
                self.named_by_visit(|name| binds::in_macro(&stmt.mac, name)).map(Named::To)
            }
            _ => None,
        }
    }

    /// Visits what sees the names of a pattern, and behind which no statement can stand.
    pub(crate) fn visit_guarded(&mut self, named: Option<Ident>, visit: impl FnOnce(&mut Self)) {
        let outer = self.guarded.clone();
        self.guarded = named.or(outer.clone());
        visit(self);
        self.guarded = outer;
    }

    /// What `propagated_ctx` is, once the name is bound.
    fn renamed(&self, name: &Ident) -> (Ident, TokenStream) {
        self.renamed_to(name.span(), &name.into_token_stream())
    }

    fn renamed_to(&self, at: Span, value: &TokenStream) -> (Ident, TokenStream) {
        let site = Span::mixed_site();
        let ctx = self.frame.ctx(at);
        // What a closure binds itself counts wherever it is called.
        let meant = if self.here.in_closure { "bound_or" } else { "context_or" };
        let meant = Ident::new(meant, at);
        // Used as a value it moves into the closure.
        let before = if self.here.once {
            quote_spanned!(site=> { #ctx })
        } else {
            quote_spanned!(site=> #ctx)
        };
        // All of it is shown at the name.
        let private = self.private(at);
        let value = quote_spanned!(at=> #private::Name(&#value).#meant(&#before));
        let private = self.private(site);
        let value = quote_spanned! {site=>
            {
                #[allow(unused_imports)]
                use #private::OtherName as _;
                #value
            }
        };
        (ctx, value)
    }

    /// Whether a binding of the name is followed. A closure in which nothing needs it captures nothing for it.
    fn follows(&self) -> bool {
        !self.here.in_closure || self.frame.uses_ctx
    }

    fn rename(&self, name: &Ident) -> Stmt {
        self.local_of(self.renamed(name))
    }

    fn local_of(&self, (ctx, value): (Ident, TokenStream)) -> Stmt {
        // All of the pattern is at the user's place: rustc names the variable only then.
        let mutability = Token![mut](ctx.span());
        parse_quote_spanned! {Span::mixed_site()=>
            #[allow(unused_mut, unused_variables, unused_assignments)]
            let #mutability #ctx = #value;
        }
    }

    /// Puts a binding behind each statement that binds the name.
    pub(super) fn rename_in(&self, block: &mut Block, named: &[Option<Named>]) {
        if named.iter().all(Option::is_none) || !self.follows() {
            return;
        }
        let stmts = std::mem::take(&mut block.stmts);
        for (n, stmt) in stmts.into_iter().enumerate() {
            block.stmts.push(stmt);
            match named.get(n) {
                Some(Some(Named::To(name))) => block.stmts.push(self.rename(name)),
                // What went before, in a local of its own.
                Some(Some(Named::Later(name))) => {
                    let before = self.renamed_to(name.span(), &quote!(()));
                    block.stmts.push(self.local_of(before));
                }
                _ => {}
            }
        }
    }

    pub(super) fn rename_at_start(&self, block: &mut Block, named: Option<Ident>) {
        if let Some(name) = named
            && self.follows()
        {
            block.stmts.insert(0, self.rename(&name));
        }
    }

    pub(crate) fn rename_before(&self, body: &mut Expr, name: &Ident) {
        if !self.follows() {
            return;
        }
        let rename = self.rename(name);
        *body = parse_quote_spanned!(Span::mixed_site()=> { #rename #body });
    }

    /// `ctx = value` binds it anew too.
    pub(super) fn rename_assigned(&mut self, expr: &mut Expr) {
        if self.frame.kind == BodyKind::Plain {
            return;
        }
        let Some(name) = self.name.as_ref().and_then(|name| binds::assigned(expr, name)).cloned()
        else {
            return;
        };
        // What a closure assigns outlives the call of it, and what a block assigns outlives the block.
        if !self.here.bound && (self.here.in_closure || self.frame.borrows) {
            self.refuse_assigned(expr, &name);
            return;
        }
        self.frame.uses_ctx = true;
        // Of `*ctx = value` what it points at: the pointer was asked where it was bound.
        let place = binds::assigned_place(expr, &name);
        let (ctx, value) = self.renamed_to(name.span(), &place);
        *expr = parse_quote_spanned! {Span::mixed_site()=>
            {
                #expr;
                #[allow(unused_assignments)]
                {
                    #ctx = #value;
                }
            }
        };
    }

    /// `call.in_current()` in a closure, which may be called where nothing is current.
    pub(super) fn current_in_closure(&mut self, expr: &mut Expr) {
        let Expr::MethodCall(call) = expr else { return };
        if !self.here.in_closure || call.method != "in_current" || !call.args.is_empty() {
            return;
        }
        let at = call.method.span();
        let ctx = self.meant(at);
        self.frame.uses_ctx = true;
        self.changed();
        call.method = Ident::new("in_current_or", at);
        call.args.push(parse_quote_spanned!(at=> &#ctx));
    }
}
