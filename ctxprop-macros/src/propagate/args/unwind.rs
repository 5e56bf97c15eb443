//! `unwind`: the function has to be one that can say `Cancelled`.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Ident;

use crate::arg::Arg;
use crate::krate::Private;
use crate::propagate::types::Output;

/// The word, where it was written.
#[derive(Clone)]
pub(crate) struct Unwind(Ident);

impl Unwind {
    pub(super) fn parse(arg: Arg) -> syn::Result<Unwind> {
        arg.alone()?;
        Ok(Unwind(arg.name))
    }

    /// Does not compile where a function that gives `output` cannot say it.
    pub(crate) fn demand(&self, output: &Output, private: &Private) -> TokenStream {
        let at = Span::mixed_site().located_at(self.0.span());
        let (question, shape) = (output.question(private), output.shape());
        let private = private.at(at);
        match shape {
            Some(ty) => quote_spanned!(at=> #private::says_cancelled::<#ty>();),
            None => quote_spanned!(at=> #private::says_cancelled_as(#question);),
        }
    }
}
