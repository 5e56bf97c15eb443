//! `join!` and `try_join!`: the arguments are threaded, the join as a whole is a leaf, exempt where all arguments are.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, Macro, Token};

use super::{biased, invocation, place};
use crate::krate::PrivateAt;
use crate::propagate::rewrite::{Kind, Rewriter, match_at, spanned, strip_parens};

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
    let biased = biased.map(|(biased, semi)| quote_spanned!(site=> #biased #semi));
    let (start, end) = (mac.path.span(), mac.delimiter.span().close());
    let join = invocation(mac, quote_spanned!(site=> #biased #(#names),*));
    let values = |make: fn(PrivateAt<'_>, &Expr, Span) -> TokenStream| -> Vec<_> {
        let value = |arg: &Expr| {
            let at = place(arg);
            make(rewriter.private(at), arg, at)
        };
        args.iter().map(value).collect()
    };
    if rewriter.kind() != Kind::Function {
        let values =
            values(|private, arg, at| quote_spanned!(at=> #private::Awaited(#arg).branch()));
        rewriter.threads();
        let pattern = quote_spanned!(site=> (#(#names,)*));
        let joined =
            match_at(site, quote_spanned!(site=> (#(#values,)*)), [(pattern, quote!(#join))]);
        return Some(spanned(joined, start, end));
    }
    let values = values(
        |private, arg, at| quote_spanned!(at=> #private::Awaited((#arg).propagated_kind()).part()),
    );
    let all = quote_spanned!(site=> #(#exempt)&*);
    let joined = rewriter.joined(&quote_spanned!(site=> async move { #join }), &all, start);
    let pattern = quote_spanned!(site=> (#((#names, #exempt),)*));
    let joined =
        match_at(site, quote_spanned!(site=> (#(#values,)*)), [(pattern, quote!(#joined))]);
    Some(spanned(joined, start, end))
}
