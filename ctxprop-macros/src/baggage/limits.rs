//! What is known of a struct at compile time: its keys, how long it gets on the wire, and whether that is too much.
//!
//! ```text
//! impl Baggage for Caller {
//!     const MAX_ENCODED_LEN: Option<usize> = total(&[field::<u64>(..).max_len(20).max_encoded_len(), ..]);
//!     const KEYS: Keys = Keys { own: &["user.id"], flattened: &[<Place as Baggage>::KEYS] };
//! }
//! const _: () = unique(<Place as Baggage>::KEYS, Keys { own: &["user.id"], flattened: &[] });
//! const _: () = fits::<Caller>("Caller", 8192);
//! ```
//!
//! The checks are constants: each fails where its words have their span. Those of a generic struct are made where it
//! is used.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote_spanned;

use super::expand::place;
use super::validate::{Implementation, MAX_BYTES, Role};

/// The constants of the implementation.
pub(super) fn constants(item: &Implementation) -> TokenStream {
    let site = Span::mixed_site();
    let private = item.private.at(site);
    let lens = item.fields.iter().flatten().filter_map(|(_, role)| match role {
        Role::Entry(entry) => {
            let place = place(entry, &item.private);
            Some(quote_spanned!(site=> #place.max_encoded_len()))
        }
        Role::Flattened { ty, .. } => {
            Some(quote_spanned!(site=> <#ty as #private::Baggage>::MAX_ENCODED_LEN))
        }
        Role::Skipped { .. } | Role::Mistaken => None,
    });
    let keys = &item.keys;
    let flattened = flattened(item).map(|(_, keys)| keys);
    quote_spanned! {site=>
        const MAX_ENCODED_LEN: #private::Option<#private::usize> = #private::total(&[#(#lens),*]);
        const KEYS: #private::Keys = #private::Keys { own: &[#(#keys),*], flattened: &[#(#flattened),*] };
    }
}

/// Where each flattened struct is, and its keys.
fn flattened(item: &Implementation) -> impl Iterator<Item = (Span, TokenStream)> {
    let site = Span::mixed_site();
    let private = item.private.at(site);
    item.fields.iter().flatten().filter_map(move |(_, role)| match role {
        Role::Flattened { at, ty } => {
            Some((at.span(), quote_spanned!(site=> <#ty as #private::Baggage>::KEYS)))
        }
        _ => None,
    })
}

/// The checks of the struct `of`, each a constant of its own, so that all that fail are reported. None where something
/// is wrong anyway.
pub(super) fn checks(item: &Implementation, of: &TokenStream) -> Vec<TokenStream> {
    let mut checks = Vec::new();
    let Some(fields) = &item.fields else { return checks };
    if fields.iter().any(|(_, role)| matches!(role, Role::Mistaken)) {
        return checks;
    }
    let own = &item.keys;
    let mut before = Vec::new();
    for (at, keys) in flattened(item) {
        let private = item.private.at(at);
        checks.push(quote_spanned! {at=>
            #private::unique(#keys, #private::Keys { own: &[#(#own),*], flattened: &[#(#before),*] })
        });
        before.push(keys);
    }
    let name = item.ident.to_string();
    let (at, max) = match &item.max_bytes {
        Some(given) => (given.at.span(), given.max),
        None => (item.ident.span(), MAX_BYTES),
    };
    if item.max_bytes.is_some() {
        checks.extend(fields.iter().filter_map(|(ident, role)| bounded(ident, role, item)));
    }
    let (private, max) = (item.private.at(at), Literal::usize_unsuffixed(max));
    checks.push(quote_spanned!(at=> #private::fits::<#of>(#name, #max)));
    checks
}

/// Under `max_bytes` each field has a bound.
fn bounded(field: &Ident, role: &Role, item: &Implementation) -> Option<TokenStream> {
    let (at, len) = match role {
        Role::Entry(entry) if entry.max_len.is_none() => {
            let place = place(entry, &item.private);
            (field.span(), quote_spanned!(field.span()=> #place.max_encoded_len()))
        }
        Role::Flattened { at, ty } => {
            let private = item.private.at(at.span());
            let len = quote_spanned!(at.span()=> <#ty as #private::Baggage>::MAX_ENCODED_LEN);
            (at.span(), len)
        }
        _ => return None,
    };
    let private = item.private.at(at);
    Some(quote_spanned!(at=> #private::bounded(#len)))
}
