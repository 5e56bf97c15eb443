//! Where generated code finds the core crate: `::ctxprop`, or what `crate = path` says.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::{Error, LitStr, Path};

pub(crate) const CRATE: &str = "expected `crate = path::to::ctxprop`";

#[derive(Clone, Default)]
pub(crate) struct Krate(Option<Path>);

impl Krate {
    /// The value of `crate = ..`: a path, or a string with one in it, as serde takes it.
    pub(crate) fn parse(value: TokenStream) -> syn::Result<Krate> {
        let path = match syn::parse2::<LitStr>(value.clone()) {
            Ok(text) => text.parse_with(Path::parse_mod_style),
            Err(_) => Path::parse_mod_style.parse2(value.clone()),
        };
        path.map(|path| Krate(Some(path))).map_err(|_| Error::new_spanned(value, CRATE))
    }

    /// The path of the core crate.
    pub(crate) fn path(&self) -> TokenStream {
        match &self.0 {
            Some(path) => quote!(#path),
            None => quote!(::ctxprop),
        }
    }

    /// The argument that says where it is, if one is needed.
    pub(crate) fn argument(&self) -> Option<TokenStream> {
        self.0.as_ref().map(|path| quote!(crate = #path))
    }

    /// The path of the core's private module.
    pub(crate) fn private(&self) -> Private {
        let path = self.path();
        Private(quote!(#path::__private).into_iter().collect())
    }
}

/// The path of the core's private module.
pub(crate) struct Private(Vec<TokenTree>);

impl Private {
    /// The path with the span `at`: a message underlines from the first to the last token of what fails, and
    /// with one span for all of them that is a place in the user's code.
    pub(crate) fn at(&self, at: Span) -> PrivateAt<'_> {
        PrivateAt { path: &self.0, at }
    }
}

/// The same path with one span, written once for each time that generated code names it.
#[derive(Clone, Copy)]
pub(crate) struct PrivateAt<'a> {
    path: &'a [TokenTree],
    at: Span,
}

impl ToTokens for PrivateAt<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.path.iter().cloned().map(|mut token| {
            token.set_span(self.at);
            token
        }));
    }
}
