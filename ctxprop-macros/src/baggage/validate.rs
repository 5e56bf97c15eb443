//! What each field is: an entry of the baggage, a struct of entries, skipped, or a mistake.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit::Visit;
use syn::{Expr, Generics, Ident, Lifetime, LitInt, Type};

use super::attrs::{FieldAttrs, Given};
use super::keys::Keys;
use super::parse::{Field, Input};
use super::types;
use crate::errors::Errors;
use crate::krate::Private;

/// What is to be written.
pub(super) struct Implementation {
    pub(super) ident: Ident,
    pub(super) generics: Generics,
    pub(super) private: Private,
    pub(super) allowed: Vec<TokenStream>,
    /// In their order; `None` for an item that the derive does not go on.
    pub(super) fields: Option<Vec<(Ident, Role)>>,
    pub(super) keys: Vec<String>,
    /// What all of it has at most on the wire, if the struct says so.
    pub(super) max_bytes: Option<MaxBytes>,
}

pub(super) struct MaxBytes {
    pub(super) max: usize,
    /// The number, as it is written.
    pub(super) at: LitInt,
}

#[expect(clippy::large_enum_variant, reason = "a struct has a handful of them")]
pub(super) enum Role {
    Entry(Entry),
    /// The entries of another struct; `at` is the word that says so.
    Flattened {
        at: Ident,
        ty: Type,
    },
    /// Neither read nor written; `at` is the word that says so.
    Skipped {
        at: Ident,
        ty: Type,
    },
    /// Its mistake is reported, and nothing else is to fail because of it.
    Mistaken,
}

/// What travels under one key.
pub(super) struct Entry {
    pub(super) key: String,
    /// Of the value: of an `Option<T>` this is `T`.
    pub(super) ty: Type,
    /// What the value has to be, for errors: the type as it is written.
    pub(super) expected: String,
    /// Bytes of the decoded value.
    pub(super) max_len: Option<usize>,
    pub(super) private: bool,
    pub(super) absent: Absent,
}

/// What the field is where its key is absent.
pub(super) enum Absent {
    Missing,
    None,
    /// The default of its type; `at` is the word that says so.
    Default {
        at: Ident,
    },
    Value(Expr),
}

pub(super) fn implementation(input: Input, errors: &mut Errors) -> Implementation {
    let private = input.attrs.krate.private();
    let mut keys = Keys::new(&input.attrs, errors);
    let fields = input.fields.map(|fields| {
        fields
            .into_iter()
            .map(|field| (field.ident.clone(), role(field, &input.generics, &mut keys, errors)))
            .collect()
    });
    let max_bytes = input.attrs.max_bytes.as_ref().and_then(|given| {
        let max = bytes(&given.value, "max_bytes = 512", errors)?;
        Some(MaxBytes { max, at: given.value.clone() })
    });
    Implementation {
        ident: input.ident,
        generics: input.generics,
        private,
        allowed: input.attrs.allowed,
        fields,
        keys: keys.taken(),
        max_bytes,
    }
}

fn role(field: Field, generics: &Generics, keys: &mut Keys, errors: &mut Errors) -> Role {
    if field.attrs.unreadable {
        return Role::Mistaken;
    }
    if let Some(skip) = &field.attrs.skip {
        let why = "a skipped field is neither read nor written, leave one of them out";
        if stands_beside("skip", why, &field.attrs, errors) {
            return Role::Mistaken;
        }
        return Role::Skipped { at: skip.name.clone(), ty: field.ty };
    }
    if let Some(flatten) = &field.attrs.flatten {
        let why = "a flattened struct says for each of its own fields how it travels";
        if stands_beside("flatten", why, &field.attrs, errors) {
            return Role::Mistaken;
        }
        return Role::Flattened { at: flatten.name.clone(), ty: field.ty };
    }
    let max_len = field.attrs.max_len.as_ref();
    let max_len = max_len.and_then(|given| bytes(&given.value, "max_len = 32", errors));
    let key = keys.of(&field, errors);
    let inner = types::of_option(&field.ty).cloned();
    let absent = absent(field.attrs.default, inner.is_some(), errors);
    let ty = inner.unwrap_or(field.ty);
    let borrowed = refuse_borrowed(&ty, generics, errors);
    let (Some(key), false) = (key, borrowed) else {
        return Role::Mistaken;
    };
    Role::Entry(Entry {
        key,
        expected: types::as_written(ty.to_token_stream()),
        ty,
        max_len,
        private: field.attrs.private.is_some(),
        absent,
    })
}

/// Reports what stands beside `word`, which leaves nothing to say about the field.
fn stands_beside(word: &str, why: &str, attrs: &FieldAttrs, errors: &mut Errors) -> bool {
    let names = [
        attrs.key.as_ref().map(|key| &key.name),
        attrs.max_len.as_ref().map(|max_len| &max_len.name),
        attrs.default.as_ref().map(|default| &default.name),
        attrs.private.as_ref().map(|private| &private.name),
        attrs.flatten.as_ref().map(|flatten| &flatten.name).filter(|_| word != "flatten"),
    ];
    let mut found = false;
    for name in names.into_iter().flatten() {
        found = true;
        errors.at(name, format_args!("`{name}` beside `{word}`: {why}"));
    }
    found
}

/// What all baggage of a request has at most: `ctxprop::MAX_BAGGAGE_BYTES`.
pub(super) const MAX_BYTES: usize = 8192;

/// A number of bytes that baggage can have.
fn bytes(literal: &LitInt, example: &str, errors: &mut Errors) -> Option<usize> {
    match literal.base10_parse() {
        Ok(bytes @ 1..=MAX_BYTES) => return Some(bytes),
        Ok(0) => errors.at(
            literal,
            format_args!("nothing fits into 0 bytes: say how many there may be, such as `{example}`, or leave it out"),
        ),
        _ => errors.at(
            literal,
            format_args!(
                "a request carries at most {MAX_BYTES} bytes of baggage: say how many of them it may be, such as \
                 `{example}`"
            ),
        ),
    }
    None
}

fn absent(default: Option<Given<Option<Expr>>>, is_option: bool, errors: &mut Errors) -> Absent {
    match default {
        Some(given) if is_option => {
            errors.at(
                given.name,
                "`default` on an `Option`, which is `None` where its key is absent: leave `default` out, or write the \
                 type without `Option`",
            );
            Absent::None
        }
        None if is_option => Absent::None,
        None => Absent::Missing,
        Some(Given { name, value: None }) => Absent::Default { at: name },
        Some(Given { value, .. }) => value.map_or(Absent::Missing, Absent::Value),
    }
}

/// Reports a type that borrows, and says whether it does: a reference, or what has a lifetime of the struct.
fn refuse_borrowed(ty: &Type, generics: &Generics, errors: &mut Errors) -> bool {
    struct Lifetimes<'a> {
        generics: &'a Generics,
        found: bool,
    }
    impl Visit<'_> for Lifetimes<'_> {
        fn visit_lifetime(&mut self, lifetime: &Lifetime) {
            self.found |= self.generics.lifetimes().any(|it| it.lifetime == *lifetime);
        }
    }
    let mut lifetimes = Lifetimes { generics, found: matches!(ty, Type::Reference(_)) };
    lifetimes.visit_type(ty);
    if lifetimes.found {
        errors.at(
            ty,
            "a borrowed field cannot be read: its value is parsed from a header, which is gone when the struct is \
             used\n  use an owned type such as `String`, or leave the field out with `#[baggage(skip)]`",
        );
    }
    lifetimes.found
}
