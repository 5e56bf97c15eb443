//! Macros inside a body. Their tokens are the user's own language: what parses is rewritten, what does not is
//! left as it was written.

use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{Expr, Macro, Path, Token};

use super::rewrite::{Kind, Rewriter};

mod join;
mod select;

syn::custom_keyword!(biased);

/// Rewrites `mac` in place, or gives what to write instead of it.
pub(crate) fn rewrite(rewriter: &mut Rewriter<'_>, mac: &mut Macro) -> Option<Expr> {
    if rewriter.kind() != Kind::Plain {
        if is_one_of(&mac.path, &["join", "try_join"]) {
            return join::rewrite(rewriter, mac);
        }
        if is_one_of(&mac.path, &["select"]) {
            return select::rewrite(rewriter, mac);
        }
    }
    if expressions(rewriter, mac) {
        rewriter.rules.expands_a_macro();
    } else {
        rewriter.rules.unparsed(&mac.tokens);
    }
    None
}

/// Whether `path` is one of the macros `names` of tokio or futures, or the bare name, as imported.
fn is_one_of(path: &Path, names: &[&str]) -> bool {
    let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    match &segments[..] {
        [name] => names.contains(&name.as_str()),
        [krate, name] => {
            names.contains(&name.as_str())
                && ["tokio", "futures", "futures_util"].contains(&krate.as_str())
        }
        _ => false,
    }
}

/// `format!`, `vec!` and all others whose arguments are expressions. Whether it is one.
fn expressions(rewriter: &mut Rewriter<'_>, mac: &mut Macro) -> bool {
    let list = Punctuated::<Expr, Token![,]>::parse_terminated;
    if let Ok(mut args) = list.parse2(mac.tokens.clone()) {
        if rewriter.changes(|rewriter| args.iter_mut().for_each(|arg| rewriter.visit_expr_mut(arg)))
        {
            mac.tokens = args.into_token_stream();
        }
        return true;
    }
    let repeat = |input: syn::parse::ParseStream<'_>| {
        let item: Expr = input.parse()?;
        let semi: Token![;] = input.parse()?;
        Ok((item, semi, input.parse::<Expr>()?))
    };
    if let Ok((mut item, semi, mut count)) = repeat.parse2(mac.tokens.clone()) {
        let visit = |rewriter: &mut Rewriter<'_>| {
            rewriter.visit_expr_mut(&mut item);
            rewriter.visit_expr_mut(&mut count);
        };
        if rewriter.changes(visit) {
            mac.tokens = quote::quote!(#item #semi #count);
        }
        return true;
    }
    false
}
