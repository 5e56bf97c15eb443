//! `#[derive(Baggage)]` on an enum: each variant is one value that a field can have.
//!
//! ```text
//! impl Text for Tier {
//!     const MAX_ENCODED_LEN: Option<usize> = longest(&["free", "gold"]);
//!     fn parse(text: &str) -> Option<Self> {
//!         match text { "free" => Some(Tier::Free), .. _ => None }
//!     }
//!     fn as_text(&self, out: &mut String) -> fmt::Result {
//!         write(out, match self { Tier::Free => "free", .. })
//!     }
//! }
//! ```

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::{Fields, Ident, ItemEnum};

use super::attrs::{self, ItemAttrs};
use crate::errors::Errors;

pub(super) fn expand(item: ItemEnum, errors: &mut Errors) -> TokenStream {
    let attrs = attrs::of_enum(&item.attrs, errors);
    let inside = item.variants.iter().flat_map(|variant| &variant.attrs);
    let allowed = attrs::allowed(&item.attrs, inside);
    if item.variants.is_empty() {
        errors.at(&item.ident, "an enum without variants has no value that could travel");
    }
    let values = values(&item, &attrs, errors);
    let (variants, texts): (Vec<_>, Vec<_>) = values.into_iter().flatten().unzip();
    let site = Span::mixed_site();
    let private = attrs.krate.private();
    let private = private.at(site);
    // With a mistake there may be too few.
    let (no_text, no_variant) = if variants.len() == item.variants.len() && !variants.is_empty() {
        (None, quote_spanned!(site=> #private::None))
    } else {
        let mistaken = quote_spanned!(site=> #private::mistaken());
        (Some(quote_spanned!(site=> _ => #mistaken,)), mistaken)
    };
    let (ident, (params, args, conditions)) = (&item.ident, item.generics.split_for_impl());
    quote_spanned! {site=>
        #[automatically_derived]
        #(#[allow(#allowed)])*
        impl #params #private::Text for #ident #args #conditions {
            const MAX_ENCODED_LEN: #private::Option<#private::usize> = #private::longest(&[#(#texts),*]);

            fn parse(text: &#private::str) -> #private::Option<Self> {
                match text {
                    #(#texts => #private::Some(Self::#variants),)*
                    _ => #no_variant,
                }
            }

            fn as_text(&self, out: &mut #private::String) -> #private::fmt::Result {
                #private::fmt::Write::write_str(out, match self {
                    #(Self::#variants => #texts,)*
                    #no_text
                })
            }
        }
    }
}

/// Each variant with its value; `None` in place of a mistake.
fn values(item: &ItemEnum, attrs: &ItemAttrs, errors: &mut Errors) -> Vec<Option<(Ident, String)>> {
    let mut taken: Vec<(Ident, String)> = Vec::new();
    let mut values = Vec::new();
    for variant in &item.variants {
        let own = attrs::of_variant(&variant.attrs, errors);
        if !matches!(variant.fields, Fields::Unit) {
            errors.at(
                &variant.fields,
                "a variant is one value and holds none itself\n  \
                 give the enum `FromStr` and `Display` instead of `Baggage`, or make it a struct to flatten",
            );
            values.push(None);
            continue;
        }
        let Ok(own) = own else {
            values.push(None);
            continue;
        };
        let name = variant.ident.unraw().to_string();
        let (value, at) = match &own {
            Some(own) => (own.value(), own.to_token_stream()),
            None => {
                let value = attrs.rename_all.map_or(name.clone(), |case| case.of_variant(&name));
                (value, variant.ident.to_token_stream())
            }
        };
        if let Some((first, _)) = taken.iter().find(|(_, other)| *other == value) {
            errors.at(
                at,
                format_args!(
                    "the value `{}` is already that of the variant `{first}`: give one of them another with \
                     `#[baggage(value = \"..\")]`",
                    value.escape_debug()
                ),
            );
            values.push(None);
            continue;
        }
        taken.push((variant.ident.clone(), value.clone()));
        values.push(Some((variant.ident.clone(), value)));
    }
    values
}
