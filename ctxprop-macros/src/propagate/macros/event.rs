//! `tracing::info!` and its like: fields, each with a value that may await.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{Expr, LitStr, Macro, Token, braced};

use crate::propagate::rewrite::Rewriter;

pub(super) fn rewrite(rewriter: &mut Rewriter<'_>, mac: &mut Macro) {
    let list = Punctuated::<Part, Token![,]>::parse_terminated;
    let Ok(mut parts) = syn::parse::Parser::parse2(list, mac.tokens.clone()) else { return };
    if rewriter.changes(|rewriter| parts.iter_mut().for_each(|part| part.visit(rewriter))) {
        mac.tokens = parts.into_token_stream();
    }
}

/// What stands between two commas.
enum Part {
    /// `target: "t"`, `name = value`, `name = %value`, `%value`, `"a message"`: what is before the value, and it.
    Value(TokenStream, Expr),
    /// `{ name = value, .. }`
    Fields(Punctuated<Part, Token![,]>),
}

impl Part {
    fn visit(&mut self, rewriter: &mut Rewriter<'_>) {
        match self {
            Part::Value(_, value) => rewriter.visit_expr_mut(value),
            Part::Fields(parts) => parts.iter_mut().for_each(|part| part.visit(rewriter)),
        }
    }
}

impl Parse for Part {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(syn::token::Brace) {
            let content;
            braced!(content in input);
            return Punctuated::parse_terminated(&content).map(Part::Fields);
        }
        let mut before = TokenStream::new();
        let ahead = input.fork();
        if name(&ahead).is_ok()
            && (ahead.peek(Token![=]) && !ahead.peek(Token![==])
                || ahead.peek(Token![:]) && !ahead.peek(Token![::]))
        {
            before.extend(name(input)?);
            before.extend([input.parse::<TokenTree>()?]);
        }
        if input.peek(Token![%]) || input.peek(Token![?]) {
            before.extend([input.parse::<TokenTree>()?]);
        }
        Ok(Part::Value(before, input.parse()?))
    }
}

/// `name.with.dots` or `"a name"`
fn name(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    if input.peek(LitStr) {
        return input.parse::<LitStr>().map(ToTokens::into_token_stream);
    }
    let names = Punctuated::<Ident, Token![.]>::parse_separated_nonempty_with;
    names(input, Ident::parse_any).map(ToTokens::into_token_stream)
}

impl ToTokens for Part {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Part::Value(before, value) => quote!(#before #value),
            Part::Fields(parts) => quote!({ #parts }),
        });
    }
}
