//! The name of the context, where a function binds it anew: `let ctx = ctx.with_timeout(limit);`. What is passed on is what the
//! name means, so the local `propagated_ctx` follows it: after each such binding stands one of that, in the same block.
//!
//! Only functions that name their context have such a name, and only those that bind it again pay for it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprAsync, ExprClosure, Item, Pat, PatIdent, Stmt, parse_quote_spanned};

use super::{Rewriter, ctx};

/// Finds a name among what patterns bind.
struct Binds<'a> {
    name: &'a Ident,
    found: Option<Ident>,
    assigned: bool,
    /// Whether closures are made beside.
    closures: bool,
}

impl<'a> Binds<'a> {
    fn of(name: &'a Ident) -> Self {
        Binds { name, found: None, assigned: false, closures: false }
    }
}

impl<'a> Visit<'a> for Binds<'_> {
    fn visit_pat_ident(&mut self, pat: &'a PatIdent) {
        if pat.ident == *self.name {
            self.found = Some(pat.ident.clone());
        }
        visit::visit_pat_ident(self, pat);
    }

    fn visit_expr_assign(&mut self, assign: &'a syn::ExprAssign) {
        if let Some(name) = assigned_in(&assign.left, self.name) {
            self.found = Some(name.clone());
            self.assigned = true;
        }
        visit::visit_expr_assign(self, assign);
    }

    // They are frames of their own.
    fn visit_expr_async(&mut self, _: &'a ExprAsync) {}
    fn visit_expr_closure(&mut self, _: &'a ExprClosure) {
        self.closures = true;
    }
    fn visit_item(&mut self, _: &'a Item) {}
}

/// The name, where an assignment to `left` binds it: also among others, as in `(ctx, rest) = pair`.
fn assigned_in<'a>(left: &'a Expr, name: &Ident) -> Option<&'a Ident> {
    let mut parts = match left {
        Expr::Path(path) => return path.path.get_ident().filter(|found| *found == name),
        Expr::Paren(paren) => return assigned_in(&paren.expr, name),
        Expr::Struct(of) => return of.fields.iter().find_map(|of| assigned_in(&of.expr, name)),
        Expr::Tuple(tuple) => tuple.elems.iter(),
        Expr::Array(array) => array.elems.iter(),
        Expr::Call(call) => call.args.iter(),
        _ => return None,
    };
    parts.find_map(|part| assigned_in(part, name))
}

impl Rewriter<'_> {
    /// Notes whether the frame that begins with `body` binds the name anew.
    pub(super) fn look_for_names(&mut self, body: &Block) {
        let Some(name) = self.name.clone() else { return };
        let mut binds = Binds::of(&name);
        binds.visit_block(body);
        self.frame.renames = binds.found.is_some();
        self.frame.assigns = binds.assigned;
        self.frame.captures_both = binds.found.is_some() && binds.closures;
        self.frame.uses_ctx |= self.frame.renames;
    }

    /// The context that the awaits at hand run under, where that need not be the one of the function.
    pub(crate) fn rebound(&self, at: Span) -> Option<Ident> {
        // Its place, and the names that the user's own code sees.
        self.frame.renames.then(|| ctx(at.resolved_at(Span::call_site())))
    }

    fn named_by_visit(&self, visit: impl FnOnce(&mut Binds<'_>)) -> Option<Ident> {
        let name = self.name.as_ref().filter(|_| self.here.in_closure || self.frame.renames)?;
        let mut binds = Binds::of(name);
        visit(&mut binds);
        binds.found
    }

    /// The name, where `pat` binds it.
    pub(super) fn named_in(&self, pat: &Pat) -> Option<Ident> {
        self.named_by_visit(|binds| binds.visit_pat(pat))
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

    /// The name, where a statement binds it to a value.
    pub(super) fn named_by(&self, stmt: &Stmt) -> Option<Ident> {
        match stmt {
            Stmt::Local(local) if local.init.is_some() => self.named_in(&local.pat),
            _ => None,
        }
    }

    /// What `propagated_ctx` is, once the name is bound.
    fn renamed(&self, name: &Ident) -> (Ident, TokenStream) {
        let site = Span::mixed_site();
        let (private, ctx) = (self.private(site), ctx(name.span()));
        // What a closure binds itself counts wherever it is called.
        let meant = if self.here.in_closure { "bound_or" } else { "context_or" };
        let meant = Ident::new(meant, site);
        // Used as a value it moves into the closure.
        let before = if self.here.once {
            quote_spanned!(site=> { #ctx })
        } else {
            quote_spanned!(site=> #ctx)
        };
        let value = quote_spanned! {site=>
            {
                #[allow(unused_imports)]
                use #private::OtherName as _;
                #private::Name(&#name).#meant(&#before)
            }
        };
        (ctx, value)
    }

    /// Whether a binding of the name is followed. A closure in which nothing needs it captures nothing for it.
    fn follows(&self) -> bool {
        !self.here.in_closure || self.frame.uses_ctx
    }

    fn rename(&self, name: &Ident) -> Stmt {
        let (ctx, value) = self.renamed(name);
        parse_quote_spanned! {Span::mixed_site()=>
            #[allow(unused_mut, unused_variables, unused_assignments)]
            let mut #ctx = #value;
        }
    }

    /// Puts a binding behind each statement that binds the name.
    pub(super) fn rename_in(&self, block: &mut Block, named: Vec<Option<Ident>>) {
        if named.iter().all(Option::is_none) || !self.follows() {
            return;
        }
        let stmts = std::mem::take(&mut block.stmts);
        for (n, stmt) in stmts.into_iter().enumerate() {
            block.stmts.push(stmt);
            if let Some(Some(name)) = named.get(n) {
                block.stmts.push(self.rename(name));
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

    pub(super) fn rename_before(&self, body: &mut Expr, name: &Ident) {
        if !self.follows() {
            return;
        }
        let rename = self.rename(name);
        *body = parse_quote_spanned!(Span::mixed_site()=> { #rename #body });
    }

    /// `ctx = value` binds it anew too.
    pub(super) fn rename_assigned(&mut self, expr: &mut Expr) {
        let Expr::Assign(assign) = &*expr else { return };
        // What a closure assigns outlives the call of it.
        if self.here.in_closure {
            return;
        }
        let Some(name) = self
            .named_by_visit(|binds| binds.found = assigned_in(&assign.left, binds.name).cloned())
        else {
            return;
        };
        let (ctx, value) = self.renamed(&name);
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
        let ctx = ctx(at);
        self.frame.uses_ctx = true;
        self.changed();
        call.method = Ident::new("in_current_or", at);
        call.args.push(parse_quote_spanned!(at=> &#ctx));
    }
}
