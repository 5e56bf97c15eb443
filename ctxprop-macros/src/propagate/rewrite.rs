//! Rewrites a body: every `.await` goes through the core crate, nested blocks and closures carry the context.
//!
//! # Invariants
//! 1. Items inside the body are another function's business and stay untouched.
//! 2. `return` is generated only for awaits of the function itself, never inside a nested block or closure.
//! 3. Generated names are hygienic (`mixed_site`), but for one that messages name; generated paths start at the private module.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::visit_mut::{self, VisitMut};
use syn::{
    Arm, Attribute, BinOp, Block, Expr, ExprBinary, ExprConst, ExprForLoop, ExprIf, ExprRepeat,
    ExprWhile, GenericArgument, Item, PatGuard, PatIdent, Stmt, Token, Type, parse_quote,
    parse_quote_spanned,
};

use super::args::allow::Allow;
use super::macros;
use super::rules::{Rules, Use};
use crate::krate::{Private, PrivateAt};

mod binds;
mod blocks;
mod carried;
mod closed;
mod closures;
mod combinators;
mod frame;
mod leaf;
mod lent;
mod name;
mod names;
mod shapes;
mod shown;

use self::carried::take_mark;
use self::frame::Here;
use self::names::HandedOn;

pub(crate) use self::frame::{BodyKind, Frame};
pub(crate) use self::leaf::match_at;
pub(crate) use self::shown::{called, spanned};

pub(crate) struct Rewriter<'a> {
    private: &'a Private,
    pub(crate) rules: Rules<'a>,
    frame: Frame,
    here: Here,
    handed_on: HandedOn,
    /// The macros that were named so far.
    named: Vec<Ident>,
    /// What becomes of the expression that is visited next.
    used: Use,
    /// Whether the await that is visited next has a `?` behind it.
    asked: bool,
    /// How many places were changed: macros whose content did not are left as they were written.
    changes: usize,
    /// Whether the function gives `!`.
    pub(crate) never: bool,
    /// What the function gives, as a question, if it is known.
    pub(crate) returns: Option<TokenStream>,
    /// The name of its context, if it has one.
    pub(crate) name: Option<Ident>,
    /// The same, in a guard that sees what its pattern binds it to.
    guarded: Option<Ident>,
}

/// The local that says how the function takes the end.
pub(crate) fn how() -> Ident {
    Ident::new("how", Span::mixed_site())
}

/// What becomes an argument needs no parentheses, and rustc would say so.
pub(crate) fn strip_parens(expr: &mut Expr) {
    while let Expr::Paren(paren) = expr
        && paren.attrs.is_empty()
    {
        let inner = std::mem::replace(&mut *paren.expr, Expr::Verbatim(TokenStream::new()));
        *expr = inner;
    }
}

impl<'a> Rewriter<'a> {
    pub(crate) fn new(private: &'a Private, allowed: &[Allow], kind: BodyKind) -> Self {
        Rewriter {
            private,
            rules: Rules::new(private, allowed),
            frame: Frame { kind, ..Frame::default() },
            here: Here::default(),
            handed_on: HandedOn::default(),
            named: Vec::new(),
            used: Use::Any,
            asked: false,
            changes: 0,
            never: false,
            returns: None,
            name: None,
            guarded: None,
        }
    }

    /// Rewrites the body of the function, and tells what it came to use.
    pub(crate) fn body(&mut self, body: &mut Block) -> Frame {
        if self.frame.kind != BodyKind::Plain {
            self.handed_on = HandedOn::of(body);
        }
        self.look_for_names(body);
        self.visit_block_mut(body);
        std::mem::take(&mut self.frame)
    }

    /// The path of the core's private module, shown at `at` in messages.
    pub(crate) fn private(&self, at: Span) -> PrivateAt<'a> {
        self.private.at(at)
    }

    pub(crate) fn kind(&self) -> BodyKind {
        self.frame.kind
    }

    /// Visits what is awaited where it stands.
    pub(crate) fn visit_awaited(&mut self, expr: &mut Expr) {
        self.used = Use::Awaited;
        self.mark_awaited(expr);
        let stays = std::mem::replace(&mut self.here.stays, true);
        self.visit_expr_mut(expr);
        self.here.stays = stays;
    }

    /// Whether this is the first macro of that name.
    pub(crate) fn is_first(&mut self, name: &Ident) -> bool {
        let first = !self.named.contains(name);
        if first {
            self.named.push(name.clone());
        }
        first
    }

    /// Visits what sees the names of a pattern, which binds that of the context or does not.
    pub(crate) fn visit_bound(&mut self, binds: bool, visit: impl FnOnce(&mut Self)) {
        let bound = self.here.bound;
        self.here.bound |= binds;
        visit(self);
        self.here.bound = bound;
    }

    /// Notes a change.
    fn changed(&mut self) {
        self.changes += 1;
    }

    /// Notes that generated code passes the context on to something without awaiting it.
    pub(crate) fn passes_on(&mut self) {
        self.changes += 1;
        self.frame.awaits = true;
        self.frame.branches = true;
    }

    /// Runs `visit`, and tells whether it changed anything.
    pub(crate) fn changes(&mut self, visit: impl FnOnce(&mut Self)) -> bool {
        let before = self.changes;
        visit(self);
        self.changes != before
    }

    fn enter(&mut self, frame: Frame) -> (Frame, Here, Option<Ident>) {
        let guarded = self.guarded.take();
        (std::mem::replace(&mut self.frame, frame), std::mem::take(&mut self.here), guarded)
    }

    fn leave(&mut self, (frame, here, guarded): (Frame, Here, Option<Ident>)) -> Frame {
        (self.here, self.guarded) = (here, guarded);
        std::mem::replace(&mut self.frame, frame)
    }

    /// `let propagated_ctx = <the current context>;`
    pub(crate) fn local_ctx(&self, frame: &Frame, at: Span) -> Stmt {
        let site = Span::mixed_site();
        // All of the pattern is at the user's place: rustc names the variable only then.
        let (private, ctx, mutability) = (self.private(site), frame.ctx(at), Token![mut](at));
        let current = match frame.captures_both {
            true => quote_spanned!(site=> #private::Rebound::here()),
            false => quote_spanned!(site=> #private::Ctx::current()),
        };
        parse_quote_spanned! {site=>
            #[allow(unused_mut, unused_variables, unused_assignments)]
            let #mutability #ctx = #current;
        }
    }
}

impl VisitMut for Rewriter<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        let used = std::mem::take(&mut self.used);
        if let Expr::Try(question) = expr {
            self.asked = matches!(*question.expr, Expr::Await(_));
        }
        let allow = attrs(expr).map(|attrs| self.rules.begin_allow(attrs));
        self.mark_in(expr);
        let rewritten = match &mut *expr {
            Expr::Macro(mac) => macros::rewrite(self, &mut mac.mac),
            Expr::Await(awaited) if self.frame.kind != BodyKind::Plain => {
                Some(self.rewrite_await(awaited))
            }
            Expr::Async(block) if self.frame.kind != BodyKind::Plain => self.rewrite_async(block),
            Expr::Closure(closure) if self.frame.kind != BodyKind::Plain => {
                self.rewrite_closure(closure)
            }
            other => {
                let marked = match other {
                    Expr::Call(call) => take_mark(&mut call.attrs),
                    Expr::MethodCall(call) => take_mark(&mut call.attrs),
                    _ => false,
                };
                let looks = self.rules.look(other, used);
                let blocking = self.rules.begin_blocking(self.rules.lets_block(other));
                self.visit_parts(other);
                self.rules.end_blocking(blocking);
                shown::parenthesize(other);
                let checked = self.rules.check(other, &looks, used);
                self.rename_assigned(other);
                self.refuse_lent(other);
                self.refuse_lent_to_arms(other);
                self.current_in_closure(other);
                self.changes += usize::from(checked.is_some() || marked);
                if checked.is_none() && marked { self.carried(other) } else { checked }
            }
        };
        if let Some(rewritten) = rewritten {
            *expr = rewritten;
        }
        if let Some(allow) = allow {
            self.rules.end_allow(allow);
        }
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        self.rules.enter(block);
        let named: Vec<_> = block.stmts.iter().map(|stmt| self.named_by(stmt)).collect();
        let bound = self.here.bound;
        for (stmt, named) in block.stmts.iter_mut().zip(&named) {
            self.visit_stmt_mut(stmt);
            self.here.bound |= named.is_some();
        }
        self.here.bound = bound;
        self.rename_in(block, &named);
        self.rules.leave();
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        let named = self.named_in(&arm.pat);
        self.visit_bound(named.is_some(), |rewriter| visit_mut::visit_arm_mut(rewriter, arm));
        if let Some(name) = named {
            self.rename_before(&mut arm.body, &name);
        }
    }

    /// A guard sees what its pattern binds.
    fn visit_pat_guard_mut(&mut self, pat: &mut PatGuard) {
        let named = self.named_in(&pat.pat);
        self.visit_pat_mut(&mut pat.pat);
        self.visit_guarded(named, |rewriter| rewriter.visit_expr_mut(&mut pat.guard));
    }

    /// What stands behind a `let` of a condition sees what that binds.
    fn visit_expr_binary_mut(&mut self, both: &mut ExprBinary) {
        let named = match both.op {
            BinOp::And(_) => self.named_in_condition(&both.left),
            _ => None,
        };
        self.visit_expr_mut(&mut both.left);
        match named {
            None => self.visit_expr_mut(&mut both.right),
            named => self.visit_guarded(named, |rewriter| rewriter.visit_expr_mut(&mut both.right)),
        }
    }

    fn visit_expr_if_mut(&mut self, expr: &mut ExprIf) {
        let named = self.named_in_condition(&expr.cond);
        self.visit_bound(named.is_some(), |rewriter| visit_mut::visit_expr_if_mut(rewriter, expr));
        self.rename_at_start(&mut expr.then_branch, named);
    }

    fn visit_expr_while_mut(&mut self, expr: &mut ExprWhile) {
        let named = self.named_in_condition(&expr.cond);
        self.visit_bound(named.is_some(), |rewriter| {
            visit_mut::visit_expr_while_mut(rewriter, expr);
        });
        self.rename_at_start(&mut expr.body, named);
    }

    fn visit_expr_for_loop_mut(&mut self, expr: &mut ExprForLoop) {
        let named = self.named_in(&expr.pat);
        self.visit_bound(named.is_some(), |rewriter| {
            visit_mut::visit_expr_for_loop_mut(rewriter, expr);
        });
        self.rename_at_start(&mut expr.body, named);
    }

    fn visit_stmt_mut(&mut self, stmt: &mut Stmt) {
        match stmt {
            Stmt::Macro(mac) => {
                let allow = self.rules.begin_allow(&mut mac.attrs);
                if let Some(rewritten) = macros::rewrite(self, &mut mac.mac) {
                    *stmt = Stmt::Expr(rewritten, mac.semi_token);
                }
                self.rules.end_allow(allow);
            }
            Stmt::Local(local) => {
                let allow = self.rules.begin_allow(&mut local.attrs);
                let stays = self.mark_bound(local);
                let stays = std::mem::replace(&mut self.here.stays, stays);
                self.here.named =
                    local.init.as_ref().is_some_and(|init| matches!(*init.expr, Expr::Closure(_)));
                visit_mut::visit_local_mut(self, local);
                self.here.named = false;
                self.here.stays = stays;
                self.refuse_lent_to_local(local);
                let unused = self.rules.unused(local, self.name.as_ref());
                self.rules.end_allow(allow);
                if let Some(question) = unused {
                    *stmt = Stmt::Expr(Expr::Verbatim(quote!(#local #question)), None);
                }
            }
            Stmt::Expr(expr, semi) => {
                let dropped = semi.is_some();
                // syn hangs the attributes of `#[..] a = b` on `a`.
                let allow = attrs(leftmost(expr)).map(|attrs| self.rules.begin_allow(attrs));
                self.used = if dropped { Use::Dropped } else { Use::Any };
                let is_awaited = matches!(expr, Expr::Await(_));
                self.visit_expr_mut(expr);
                match expr {
                    // What looks like the user's `match` is an await, which has its semicolon by right,
                    Expr::Match(leaf) if is_awaited && semi.is_some() => {
                        leaf.attrs.push(parse_quote!(#[allow(clippy::unnecessary_semicolon)]));
                    }
                    // and at the end of a block none.
                    Expr::Match(leaf) if is_awaited => shown::hide(leaf),
                    _ => {}
                }
                if let Some(allow) = allow {
                    self.rules.end_allow(allow);
                }
            }
            other => visit_mut::visit_stmt_mut(self, other),
        }
    }

    fn visit_pat_ident_mut(&mut self, pat: &mut PatIdent) {
        self.rules.binds(&pat.ident);
        visit_mut::visit_pat_ident_mut(self, pat);
    }

    /// What is made by the compiler knows no context.
    fn visit_expr_const_mut(&mut self, _: &mut ExprConst) {}
    fn visit_type_mut(&mut self, _: &mut Type) {}
    fn visit_generic_argument_mut(&mut self, _: &mut GenericArgument) {}
    fn visit_expr_repeat_mut(&mut self, repeat: &mut ExprRepeat) {
        self.visit_expr_mut(&mut repeat.expr);
    }

    /// Another function's business (invariant 1).
    fn visit_item_mut(&mut self, _: &mut Item) {}
}

/// Where the attributes of a statement are.
fn leftmost(expr: &mut Expr) -> &mut Expr {
    match expr {
        Expr::Assign(assign) => leftmost(&mut assign.left),
        Expr::Binary(binary) => leftmost(&mut binary.left),
        Expr::Cast(cast) => leftmost(&mut cast.expr),
        expr => expr,
    }
}

/// The attributes of the expressions that people annotate.
fn attrs(expr: &mut Expr) -> Option<&mut Vec<Attribute>> {
    macro_rules! attrs {
        ($($kind:ident)*) => {
            match expr {
                $(Expr::$kind(expr) => Some(&mut expr.attrs),)*
                _ => None,
            }
        };
    }
    attrs! {
        Async Await Block Call Closure Field ForLoop If Let Loop Macro Match MethodCall Paren Path Reference Return Struct
        Try Tuple Unary Unsafe While
    }
}
