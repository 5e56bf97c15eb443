//! `join!` and `try_join!`: the arguments are threaded, the join as a whole is a leaf, exempt where all arguments are.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, Macro, Token};

use super::biased;
use crate::krate::PrivateAt;
use crate::propagate::rewrite::{Kind, Rewriter, match_at, strip_parens};

/// The arguments are made outside of the join, so that `?` and `return` in them stay the function's; what is
/// inside only awaits.
pub(super) fn rewrite(rewriter: &mut Rewriter<'_>, mac: &mut Macro) -> Option<Expr> {
    let parser = |input: ParseStream<'_>| {
        let biased = if input.peek(biased) && input.peek2(Token![;]) {
            Some((input.parse::<biased>()?, input.parse::<Token![;]>()?))
        } else {
            None
        };
        Ok((biased, Punctuated::<Expr, Token![,]>::parse_terminated(input)?))
    };
    let (biased, mut args) = parser.parse2(mac.tokens.clone()).ok()?;
    // Nothing to await: somebody else's macro of that name, or one that is empty.
    if args.iter().all(|arg| matches!(arg, Expr::Lit(_))) {
        return None;
    }
    for arg in &mut args {
        rewriter.visit_awaited(arg);
        strip_parens(arg);
    }
    let site = Span::mixed_site();
    let numbered = |name: &str| -> Vec<_> {
        (0..args.len()).map(|n| Ident::new(&format!("{name}{n}"), site)).collect()
    };
    let (names, exempt) = (numbered("joined"), numbered("exempt"));
    let (path, biased) =
        (&mac.path, biased.map(|(biased, semi)| quote_spanned!(site=> #biased #semi)));
    let join = quote_spanned!(site=> #path!(#biased #(#names),*));
    let values = |make: fn(PrivateAt<'_>, &Expr, Span) -> TokenStream| -> Vec<_> {
        let value = |arg: &Expr| {
            let at = site.located_at(arg.span());
            make(rewriter.private(at), arg, at)
        };
        args.iter().map(value).collect()
    };
    if rewriter.kind() != Kind::Function {
        let values = values(|private, arg, at| quote_spanned!(at=> #private::thread(#arg)));
        rewriter.threads();
        let pattern = quote_spanned!(site=> (#(#names,)*));
        return Some(match_at(site, quote_spanned!(site=> (#(#values,)*)), [(pattern, join)]));
    }
    let values =
        values(|private, arg, at| quote_spanned!(at=> #private::part((#arg).propagated_kind())));
    let all = quote_spanned!(site=> #(#exempt)&*);
    let joined = rewriter.joined(&quote_spanned!(site=> async move { #join }), &all, path.span());
    let pattern = quote_spanned!(site=> (#((#names, #exempt),)*));
    let body = quote_spanned!(site=> #joined);
    Some(match_at(site, quote_spanned!(site=> (#(#values,)*)), [(pattern, body)]))
}
