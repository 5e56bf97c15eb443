//! What each field is: a member of the baggage, skipped, or a mistake.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::{Expr, Generics, Ident, Lifetime, LitInt, Type};

use super::attrs::{FieldAttrs, Given};
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
}

#[expect(clippy::large_enum_variant, reason = "a struct has a handful of them")]
pub(super) enum Role {
    Member(Member),
    /// Neither read nor written; `at` is the word that says so.
    Skipped {
        at: Ident,
        ty: Type,
    },
    /// Its mistake is reported, and nothing else is to fail because of it.
    Mistaken,
}

/// What travels under one key.
pub(super) struct Member {
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
    let mut keys = Keys::default();
    let fields = input.fields.map(|fields| {
        fields
            .into_iter()
            .map(|field| (field.ident.clone(), role(field, &input.generics, &mut keys, errors)))
            .collect()
    });
    Implementation {
        ident: input.ident,
        generics: input.generics,
        private,
        allowed: input.attrs.allowed,
        fields,
    }
}

fn role(field: Field, generics: &Generics, keys: &mut Keys, errors: &mut Errors) -> Role {
    if field.attrs.unreadable {
        return Role::Mistaken;
    }
    if let Some(skip) = &field.attrs.skip {
        if skipped_with(&field.attrs, errors) {
            return Role::Mistaken;
        }
        return Role::Skipped { at: skip.name.clone(), ty: field.ty };
    }
    let max_len = max_len(field.attrs.max_len.as_ref(), errors);
    let key = keys.of(&field, errors);
    let inner = types::of_option(&field.ty).cloned();
    let absent = absent(field.attrs.default, inner.is_some(), errors);
    let ty = inner.unwrap_or(field.ty);
    let borrowed = refuse_borrowed(&ty, generics, errors);
    let (Some(key), false) = (key, borrowed) else {
        return Role::Mistaken;
    };
    Role::Member(Member {
        key,
        expected: types::as_written(ty.to_token_stream()),
        ty,
        max_len,
        private: field.attrs.private.is_some(),
        absent,
    })
}

/// Reports what stands beside `skip`, and says whether there was anything.
fn skipped_with(attrs: &FieldAttrs, errors: &mut Errors) -> bool {
    let names = [
        attrs.key.as_ref().map(|key| &key.name),
        attrs.max_len.as_ref().map(|max_len| &max_len.name),
        attrs.default.as_ref().map(|default| &default.name),
        attrs.private.as_ref().map(|private| &private.name),
    ];
    let mut found = false;
    for name in names.into_iter().flatten() {
        found = true;
        errors.at(
            name,
            format_args!(
                "`{name}` beside `skip`: a skipped field is neither read nor written, leave one of them out"
            ),
        );
    }
    found
}

/// What all baggage of a request has at most: `ctxprop::MAX_BAGGAGE_BYTES`.
const MAX_BYTES: usize = 8192;

fn max_len(given: Option<&Given<LitInt>>, errors: &mut Errors) -> Option<usize> {
    let literal = &given?.value;
    let message = match literal.base10_parse() {
        Ok(0) => {
            "no value fits into 0 bytes: say how many it may have, such as `max_len = 32`, or leave `max_len` out"
        }
        Ok(max_len @ 1..=MAX_BYTES) => return Some(max_len),
        _ => {
            "a request carries at most 8192 bytes of baggage: say how many of them one value may have, such as \
              `max_len = 32`"
        }
    };
    errors.at(literal, message);
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

/// The keys so far, each with the field that has it.
#[derive(Default)]
struct Keys(Vec<(String, Ident)>);

impl Keys {
    /// The key of the field, unless something is wrong with it.
    fn of(&mut self, field: &Field, errors: &mut Errors) -> Option<String> {
        let (key, at) = match &field.attrs.key {
            Some(key) => (key.value.value(), key.value.to_token_stream()),
            None => (field.ident.unraw().to_string(), field.ident.to_token_stream()),
        };
        if key.is_empty() {
            errors.at(
                at,
                "a key has at least one character: leave `key` out to use the field's name",
            );
            return None;
        }
        if let Some(wrong) = key.chars().find(|&character| !is_token(character)) {
            let hint = match field.attrs.key {
                Some(_) => "",
                None => "\n  the field can keep its name beside `#[baggage(key = \"..\")]`",
            };
            errors.at(
                at,
                format_args!(
                    "`{}` cannot be a key: keys are tokens (RFC 9110), which never have {wrong:?}\n  \
                     use only ASCII letters, digits and !#$%&'*+-.^_`|~{hint}",
                    key.escape_debug()
                ),
            );
            return None;
        }
        if let Some((_, first)) = self.0.iter().find(|(other, _)| *other == key) {
            errors.at(
                at,
                format_args!(
                    "the key `{key}` is already that of the field `{first}`: give one of them another with \
                     `#[baggage(key = \"..\")]`"
                ),
            );
            return None;
        }
        self.0.push((key.clone(), field.ident.clone()));
        Some(key)
    }
}

/// RFC 9110, section 5.6.2: `tchar`.
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
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
