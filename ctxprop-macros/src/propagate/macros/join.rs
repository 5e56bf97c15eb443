//! `join!` and `try_join!`: the context is passed on to the arguments, the join as a whole is a leaf, exempt where all arguments are.
//!
//! It becomes a struct of the core that holds the arguments, made and awaited in place, so that `?` and `return` in them stay
//! the function's, and nothing is held twice.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, Macro, Token};

use super::{biased, place};
use crate::propagate::rewrite::{BodyKind, Rewriter, called, how, match_at, spanned, strip_parens};

pub(super) fn rewrite(rewriter: &mut Rewriter<'_>, mac: &mut Macro) -> Option<Expr> {
    let parser = |input: ParseStream<'_>| {
        let is_biased = input.peek(biased) && input.peek2(Token![;]);
        if is_biased {
            input.parse::<biased>()?;
            input.parse::<Token![;]>()?;
        }
        Ok((is_biased, Punctuated::<Expr, Token![,]>::parse_terminated(input)?))
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
    rewriter.passes_on();
    let join = Join { biased, args: args.into_iter().collect() };
    let (start, end) = (mac.path.span(), mac.delimiter.span().close());
    let joined = match mac.path.segments.last() {
        Some(name) if name.ident == "try_join" => join.tried(rewriter, start),
        _ => join.joined(rewriter, start),
    };
    Some(spanned(joined, start, end))
}

struct Join {
    biased: bool,
    args: Vec<Expr>,
}

impl Join {
    /// What awaits all arguments, by the function `name` of the core.
    fn awaited(&self, rewriter: &Rewriter<'_>, name: &str, at: Span) -> TokenStream {
        let site = Span::mixed_site().located_at(at);
        let private = rewriter.private(site);
        let biased = self.biased;
        let is_leaf = rewriter.kind() == BodyKind::Function;
        let part = |arg: &Expr| {
            let at = place(arg);
            let private = rewriter.private(at);
            match is_leaf {
                true => {
                    quote_spanned!(at=> #private::Awaited((#arg).propagated_kind()).part())
                }
                false => quote_spanned!(at=> (#private::Awaited(#arg).branch(), true)),
            }
        };
        let nil = quote_spanned!(site=> #private::nil());
        let list = self.args.iter().rev().fold(nil, |rest, arg| {
            let part = part(arg);
            quote_spanned!(site=> #private::cons(#part, #rest))
        });
        let how = if is_leaf {
            let how = how();
            quote_spanned!(site=> &#how)
        } else {
            quote_spanned!(site=> &#private::InBlock)
        };
        let call = called(at);
        let (private, name) = (rewriter.private(call), Ident::new(name, call));
        let join = quote_spanned!(call=> #private::#name(#how, #biased, #list));
        let join = rewriter.under(join, at);
        quote_spanned!(site=> #join.await)
    }

    /// A name for each argument's value, and the nested pairs of them.
    fn names(&self, site: Span) -> (Vec<Ident>, TokenStream) {
        let name = |n| Ident::new(&format!("joined{n}"), site);
        let names: Vec<_> = (0..self.args.len()).map(name).collect();
        let nested = names
            .iter()
            .rev()
            .fold(quote_spanned!(site=> ()), |rest, name| quote_spanned!(site=> (#name, #rest)));
        (names, nested)
    }

    /// `join!`: each part gives its value, or the end as a value of its type.
    fn joined(&self, rewriter: &mut Rewriter<'_>, at: Span) -> Expr {
        let site = Span::mixed_site().located_at(at);
        let awaited = self.awaited(rewriter, "join", at);
        let (names, nested) = self.names(site);
        let values: Vec<_> =
            names.iter().map(|name| value(rewriter, &quote_spanned!(site=> #name), site)).collect();
        match_at(site, awaited, [(nested, quote_spanned!(site=> (#(#values,)*)))])
    }

    /// `try_join!`: the tuple of all, or the first error.
    fn tried(&self, rewriter: &mut Rewriter<'_>, at: Span) -> Expr {
        let site = Span::mixed_site().located_at(at);
        let private = rewriter.private(site);
        let awaited = self.awaited(rewriter, "try_join", at);
        let (names, nested) = self.names(site);
        let tried = value(rewriter, &awaited, site);
        match_at(
            site,
            quote_spanned!(site=> #tried),
            [
                (
                    quote_spanned!(site=> #private::Ok(#nested)),
                    quote_spanned!(site=> #private::Ok((#(#names,)*))),
                ),
                (
                    quote_spanned!(site=> #private::Err(error)),
                    quote_spanned!(site=> #private::Err(error)),
                ),
            ],
        )
    }
}

/// What a part gives: in a block there is no end.
fn value(rewriter: &mut Rewriter<'_>, part: &TokenStream, site: Span) -> Expr {
    if rewriter.kind() == BodyKind::Function {
        return rewriter.given(part, site);
    }
    let private = rewriter.private(site);
    Expr::Verbatim(quote_spanned!(site=> #private::given(#part)))
}
