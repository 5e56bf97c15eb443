//! `#[derive(Baggage)]`: parse the struct and its attributes, validate them, write the implementation. An enum is the
//! value of a field: `values.rs`.
//!
//! A mistake never loses the implementation: it is there beside the errors, without what was wrong, so that one
//! mistake is one error.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Item;

use crate::errors::Errors;

mod attrs;
mod case;
mod expand;
mod keys;
mod limits;
mod parse;
mod types;
mod validate;
mod values;

pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let input = errors.ok(syn::parse2(item));
    let expanded = match input {
        Some(Item::Enum(item)) => Some(values::expand(item, &mut errors)),
        input => input
            .and_then(|item| parse::Input::of(item, &mut errors))
            .map(|input| validate::implementation(input, &mut errors))
            .map(|implementation| expand::implementation(&implementation)),
    };
    quote!(#errors #expanded)
}
