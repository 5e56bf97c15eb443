//! The macros of [`ctxprop`](https://docs.rs/ctxprop): use them from there.
//!
//! This file is only the door; each macro parses, validates and expands in a folder of its own.

use proc_macro::TokenStream;

mod arg;
mod baggage;
mod errors;
mod krate;
mod nearest;
mod propagate;
mod test;

/// See `ctxprop::propagate`.
#[proc_macro_attribute]
pub fn propagate(args: TokenStream, item: TokenStream) -> TokenStream {
    propagate::expand(args.into(), item.into()).into()
}

/// See `ctxprop::test`.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    test::expand(args.into(), item.into()).into()
}

/// The derive macro `ctxprop::Baggage`.
#[proc_macro_derive(Baggage, attributes(baggage))]
pub fn baggage(item: TokenStream) -> TokenStream {
    baggage::expand(item.into()).into()
}
