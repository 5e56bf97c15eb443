//! Attributes of other crates that write an `impl` of the trait they stand on: `#[automock]` of mockall and
//! `#[enum_dispatch]`. They read the trait's `async fn`s, so they go first, and what they write has to get the attribute
//! too.
//!
//! | attribute | what it copies to its `impl` | so the trait is handed to it with |
//! | --- | --- | --- |
//! | `automock`, also in `cfg_attr` | of the trait's attributes, one called `async_trait` (others also to places where only inert ones may stand) | this macro under that name |
//! | `enum_dispatch` | the attributes of each method | this macro on each method |

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{Attribute, Error, ItemStruct, ItemTrait, Meta, TraitItem};

use super::{Args, Function, validate};

/// Hands a trait on to what writes an `impl` of it, if anything does. It comes back then.
pub(super) fn first(item: &mut ItemTrait, args: &Args) -> bool {
    if has(&item.attrs, "automock") {
        // Behind what is handed on first.
        item.attrs.push(args.attribute_as(&quote!(__private::async_trait)));
        return true;
    }
    if has(&item.attrs, "enum_dispatch") {
        let ours = args.attribute_as(&format_ident!("propagate"));
        for inner in &mut item.items {
            let TraitItem::Fn(method) = inner else { continue };
            let has_own = method.attrs.iter().any(super::containers::is_ours);
            if !has_own && validate::is_meant(&Function::from(method.clone()), args) {
                method.attrs.insert(0, ours.clone());
            }
        }
        return true;
    }
    false
}

/// What is to be said of an item that is none of this macro's. mockall copies the attribute to what it writes, where it stands
/// below `#[automock]` or in `mock!`: to structs, to their fields, where rustc refuses it, and to the statements that reset
/// them. It is one mistake, so one of the copies tells it.
pub(super) fn copied(item: &TokenStream, error: Error) -> Option<Error> {
    if let Ok(item) = syn::parse2::<ItemStruct>(item.clone()) {
        let is_copied = item.ident.to_string().starts_with("Mock")
            && item.fields.iter().any(|field| names_expectations(&field.to_token_stream()));
        return (!is_copied).then_some(error);
    }
    let message = "`#[automock]` and `mock!` copy the attributes of a trait to where no macro may stand\n  put \
                   `#[automock]` below `#[propagate]`; in `mock!` call it `async_trait`, by `use ctxprop::propagate \
                   as async_trait;`";
    Some(if names_expectations(item) { Error::new(Span::call_site(), message) } else { error })
}

/// `self.Store_expectations.checkpoint()`, `Store_expectations: MockStore_Store`, `get: __get::Expectations`
fn names_expectations(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => {
            let name = ident.to_string();
            name.ends_with("_expectations") || name == "Expectations"
        }
        _ => false,
    })
}

/// Whether an attribute of this name is there, or may be.
fn has(attrs: &[Attribute], name: &str) -> bool {
    attrs.iter().any(|attr| {
        let is = |path: &syn::Path| path.segments.last().is_some_and(|last| last.ident == name);
        match &attr.meta {
            Meta::List(list) if attr.path().is_ident("cfg_attr") => {
                let tokens = list.tokens.clone().into_iter();
                tokens.into_iter().any(|token| token.to_string() == name)
            }
            _ => is(attr.path()),
        }
    })
}
