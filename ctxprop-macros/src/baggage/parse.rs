//! The struct under `#[derive(Baggage)]`: its fields with their attributes, or the reason why it has none.

use quote::{ToTokens, quote};
use syn::{Fields, Generics, Ident, Item, ItemStruct, Type};

use super::attrs::{self, FieldAttrs, ItemAttrs};
use super::types;
use crate::errors::Errors;

pub(super) struct Input {
    pub(super) ident: Ident,
    pub(super) generics: Generics,
    pub(super) attrs: ItemAttrs,
    /// `None` if the derive goes on nothing of this shape.
    pub(super) fields: Option<Vec<Field>>,
}

pub(super) struct Field {
    pub(super) ident: Ident,
    pub(super) ty: Type,
    pub(super) attrs: FieldAttrs,
}

impl Input {
    /// Reads what it can, and reports the rest. `None` for what no derive is ever given.
    pub(super) fn of(item: Item, errors: &mut Errors) -> Option<Input> {
        match item {
            Item::Struct(item) => Some(of_struct(item, errors)),
            Item::Union(item) => {
                errors.at(
                    item.union_token,
                    "`#[derive(Baggage)]` goes on structs with named fields and on enums, not on a union",
                );
                Some(misplaced(item.ident, item.generics))
            }
            item => {
                let first = item.to_token_stream().into_iter().next();
                errors.at(quote!(#first), "`#[derive(Baggage)]` goes on structs and enums");
                None
            }
        }
    }
}

fn of_struct(item: ItemStruct, errors: &mut Errors) -> Input {
    let mut attrs = attrs::of_struct(&item.attrs, errors);
    attrs.allowed = attrs::allowed(&item.attrs, item.fields.iter().flat_map(|field| &field.attrs));
    let fields = match item.fields {
        Fields::Named(fields) => Some(fields.named),
        Fields::Unnamed(fields) => {
            errors.at(
                fields,
                "`#[derive(Baggage)]` needs named fields: what a field holds travels under its name\n  \
                 or give the type `FromStr` and `Display` and make it the type of a field",
            );
            None
        }
        Fields::Unit => {
            errors.at(
                &item.ident,
                "`#[derive(Baggage)]` needs named fields: a unit struct has nothing that could travel",
            );
            None
        }
    };
    let field = |field: syn::Field| {
        Some(Field {
            ident: field.ident?,
            ty: types::plain(&field.ty).clone(),
            attrs: attrs::of_field(&field.attrs, errors),
        })
    };
    Input {
        ident: item.ident,
        generics: item.generics,
        attrs,
        fields: fields.map(|fields| fields.into_iter().filter_map(field).collect()),
    }
}

fn misplaced(ident: Ident, generics: Generics) -> Input {
    Input { ident, generics, attrs: ItemAttrs::default(), fields: None }
}
