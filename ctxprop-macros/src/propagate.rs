//! `#[propagate]`: args → validate → model → rewrite → expand. Arguments and item are parsed (`args.rs`, `parse.rs`), what is
//! wrong with them is told in one place (`validate.rs`), what is right becomes a form (`model.rs`), whose body is rewritten
//! (`rewrite.rs`) and whose function is written anew (`expand.rs`).
//!
//! A mistake never loses the item: what can be expanded is, beside the errors, so that one mistake is one
//! error.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use crate::errors::Errors;

mod args;
mod bodies;
mod containers;
mod expand;
mod generators;
mod lifetimes;
mod macros;
mod model;
mod neighbours;
mod parse;
mod rewrite;
mod rules;
#[cfg(test)]
mod tests;
mod types;
mod validate;

/// What of the caller's code the other files work on.
pub(crate) use self::args::Args;
pub(crate) use self::parse::Function;
use self::parse::Target;

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, &mut errors);
    validate::outermost(&args, &mut errors);
    let expanded = match Target::parse(item.clone()) {
        Ok(Target::Function(function)) => expand::function(*function, &args, &mut errors),
        Ok(Target::Impl(mut item)) => {
            containers::implementation(&mut item, &args, &mut errors);
            item.into_token_stream()
        }
        Ok(Target::Trait(mut item)) => {
            containers::interface(&mut item, &args, &mut errors);
            item.into_token_stream()
        }
        Ok(Target::Mod(mut item)) => {
            containers::module(&mut item, &args, &mut errors);
            item.into_token_stream()
        }
        Err(error) => {
            if let Some(error) = generators::copied(&item, error) {
                errors.push(error);
            }
            item
        }
    };
    quote!(#errors #expanded)
}
