//! `boxed`: the future of a function in a box, which is `Send` unless the function is `local`.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{Ident, Lifetime, Type};

use crate::arg::Arg;
use crate::krate::{Private, PrivateAt};

/// The word, where it was written.
#[derive(Clone)]
pub(crate) struct Boxed(Ident);

impl Boxed {
    pub(super) fn parse(arg: Arg) -> syn::Result<Boxed> {
        arg.alone()?;
        Ok(Boxed(arg.name))
    }

    /// The box in a signature.
    pub(crate) fn ty(
        is_local: bool,
        lifetime: &Lifetime,
        output: &Type,
        private: PrivateAt<'_>,
        site: Span,
    ) -> TokenStream {
        match is_local {
            true => quote_spanned!(site=> #private::LocalBoxFuture<#lifetime, #output>),
            false => quote_spanned!(site=> #private::BoxFuture<#lifetime, #output>),
        }
    }

    /// Puts a future that gives `ty` into it.
    pub(crate) fn around(
        &self,
        future: &TokenStream,
        is_local: bool,
        ty: &Type,
        private: &Private,
    ) -> TokenStream {
        // Where it is not `Send`, the word that demands it is to blame.
        let site = Span::mixed_site().located_at(self.0.span());
        let private = private.at(site);
        match is_local {
            true => quote_spanned!(site=> #private::boxed_local::<#ty, _>(#future)),
            false => quote_spanned!(site=> #private::boxed::<#ty, _>(#future)),
        }
    }
}
