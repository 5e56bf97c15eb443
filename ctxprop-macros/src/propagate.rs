//! `#[propagate]`: parse the arguments and the item, rewrite the body, write the function anew.
//!
//! A mistake never loses the item: what can be expanded is, beside the errors, so that one mistake is one
//! error.

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;

mod args;
mod bodies;
mod expand;
mod macros;
mod parse;
mod rewrite;
mod rules;

/// What of the caller's code the other files work on.
pub(crate) use self::args::Args;
pub(crate) use self::parse::Function;

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, &mut errors);
    let expanded = match Function::parse(item.clone()) {
        Ok(function) => expand::function(function, &args, &mut errors),
        Err(error) => {
            errors.push(error);
            item
        }
    };
    quote!(#errors #expanded)
}
