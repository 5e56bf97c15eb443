//! What an expression is, as far as its shape tells: for `carried.rs`.

use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprCall, ExprClosure, ExprReference, Member, Stmt};

use super::names::root;

/// Whether it is one of a type that is a future if its content is.
pub(super) fn is_constructor(call: &ExprCall) -> bool {
    let Expr::Path(func) = &*call.func else { return false };
    let last = func.path.segments.last();
    last.is_some_and(|last| ["Some", "Left", "Right"].iter().any(|known| last.ident == known))
}

/// Whether it makes a stream or an iterator of what it is given.
pub(super) fn is_source(call: &ExprCall) -> bool {
    let Expr::Path(func) = &*call.func else { return false };
    let name = func.path.segments.last().map(|last| last.ident.to_string());
    name.is_some_and(|name| {
        ["iter", "once", "from_iter", "repeat_with", "from"].contains(&name.as_str())
    })
}

/// Whether it is `self`, or a part of it.
pub(super) fn is_self(expr: &Expr) -> bool {
    match expr {
        Expr::Path(path) => path.path.is_ident("self"),
        Expr::Field(field) => matches!(field.member, Member::Named(_)) && is_self(&field.base),
        _ => false,
    }
}

/// Whether it borrows something of the function, and so cannot leave it.
pub(super) fn borrows(closure: &ExprClosure) -> bool {
    struct Borrows(bool);
    impl<'a> Visit<'a> for Borrows {
        fn visit_expr(&mut self, expr: &'a Expr) {
            self.0 |= is_self(expr);
            visit::visit_expr(self, expr);
        }

        fn visit_expr_reference(&mut self, reference: &'a ExprReference) {
            self.0 |= root(&reference.expr).is_some_and(|name| name != "self");
            visit::visit_expr_reference(self, reference);
        }
    }
    // what it is given is no part of the function
    let mut borrows = Borrows(false);
    borrows.visit_expr(&closure.body);
    borrows.0
}

/// The values that `expr` may have, where it is made of several.
pub(super) fn each_tail(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    fn of_block(block: &mut Block, visit: &mut dyn FnMut(&mut Expr)) {
        if let Some(Stmt::Expr(tail, None)) = block.stmts.last_mut() {
            visit(tail);
        }
    }
    match expr {
        Expr::Paren(paren) => visit(&mut paren.expr),
        Expr::Group(group) => visit(&mut group.expr),
        Expr::Block(block) if block.label.is_none() => of_block(&mut block.block, visit),
        Expr::Unsafe(block) => of_block(&mut block.block, visit),
        Expr::If(branch) => {
            of_block(&mut branch.then_branch, visit);
            if let Some((_, other)) = &mut branch.else_branch {
                visit(other);
            }
        }
        Expr::Match(of) => of.arms.iter_mut().for_each(|arm| visit(&mut arm.body)),
        Expr::Array(array) => array.elems.iter_mut().for_each(visit),
        Expr::Tuple(tuple) => tuple.elems.iter_mut().for_each(visit),
        _ => {}
    }
}
