//! Where in the user's code generated expressions are shown.

use proc_macro2::{Span, TokenStream};
use syn::token::{Brace, Paren};
use syn::{Expr, ExprMatch, ExprParen};

/// Shows a generated `match` from `start` to `end` in the user's code. What it is part of, such as `a().await == b` or
/// `a().await?`, is then at its place too, and what is unused is shown where it was written.
pub(crate) fn spanned(mut expr: Expr, start: Span, end: Span) -> Expr {
    if let Expr::Match(leaf) = &mut expr {
        leaf.match_token.span = start;
        leaf.brace_token = Brace(end);
    }
    expr
}

/// The span of a generated call, of which observers are told that it is at `at` in the user's code. What
/// `Location::caller()` gives is the place of the macro where a span is of a macro, so the tokens are the user's then.
pub(crate) fn called(at: Span) -> Span {
    if cfg!(feature = "observe") { at } else { Span::mixed_site().located_at(at) }
}

/// Shows it at the same place as the macro's own, of which lints do not speak.
pub(super) fn hide(leaf: &mut ExprMatch) {
    let generated = |at: Span| Span::mixed_site().located_at(at);
    leaf.match_token.span = generated(leaf.match_token.span);
    leaf.brace_token = Brace(generated(leaf.brace_token.span.close()));
}

/// A `match` that an operator follows needs parentheses where a statement begins. Written here they are at the user's
/// place.
pub(super) fn parenthesize(expr: &mut Expr) {
    let operand = match expr {
        Expr::Binary(binary) => &mut binary.left,
        Expr::Cast(cast) => &mut cast.expr,
        Expr::Index(index) => &mut index.expr,
        _ => return,
    };
    let Expr::Match(leaf) = &**operand else { return };
    let paren_token = Paren(leaf.match_token.span);
    let inner = std::mem::replace(&mut **operand, Expr::Verbatim(TokenStream::new()));
    **operand = Expr::Paren(ExprParen { attrs: Vec::new(), paren_token, expr: Box::new(inner) });
}
