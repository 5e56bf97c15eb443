//! `#[derive(Baggage)]`: parse the struct and its attributes, validate them, write the implementation.
//!
//! A mistake never loses the implementation: it is there beside the errors, without what was wrong, so that one
//! mistake is one error.

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;

mod attrs;
mod expand;
mod parse;
mod types;
mod validate;

pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let input = errors.ok(syn::parse2(item));
    let expanded = input
        .and_then(|item| parse::Input::of(item, &mut errors))
        .map(|input| validate::implementation(input, &mut errors))
        .map(|implementation| expand::implementation(&implementation));
    quote!(#errors #expanded)
}
