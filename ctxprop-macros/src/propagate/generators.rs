//! Attributes of other crates that write an `impl` of the trait they stand on: `#[automock]` of mockall and
//! `#[enum_dispatch]`. They read the trait's `async fn`s, so they go first, and what they write has to get the attribute
//! too.
//!
//! | attribute | what it copies to its `impl` | so the trait is handed to it with |
//! | --- | --- | --- |
//! | `automock`, also in `cfg_attr` | of the trait's attributes, one called `async_trait` (others also to places where only inert ones may stand) | this macro under that name |
//! | `enum_dispatch` | the attributes of each method | this macro on each method |

use quote::{format_ident, quote};
use syn::{Attribute, ItemTrait, Meta, TraitItem};

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
