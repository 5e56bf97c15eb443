//! The keys of a struct: made of names and attributes, and looked at where they are written.
//!
//! Those of flattened structs are known to the compiler alone, see `limits.rs`.

use quote::ToTokens;
use syn::Ident;
use syn::ext::IdentExt;

use super::attrs::ItemAttrs;
use super::case::Case;
use super::parse::Field;
use crate::errors::Errors;

/// The keys so far, each with the field that has it.
pub(super) struct Keys {
    prefix: String,
    case: Option<Case>,
    taken: Vec<(String, Ident)>,
}

impl Keys {
    /// As the attributes of the struct say.
    pub(super) fn new(attrs: &ItemAttrs, errors: &mut Errors) -> Keys {
        let mut prefix = String::new();
        if let Some(given) = &attrs.prefix {
            prefix = given.value();
            if let Some(wrong) = not_of_a_token(&prefix) {
                errors.at(given, no_key(&prefix, wrong, ""));
                prefix.clear();
            }
        }
        Keys { prefix, case: attrs.rename_all, taken: Vec::new() }
    }

    pub(super) fn taken(&self) -> Vec<String> {
        self.taken.iter().map(|(key, _)| key.clone()).collect()
    }

    /// The key of the field, unless something is wrong with it.
    pub(super) fn of(&mut self, field: &Field, errors: &mut Errors) -> Option<String> {
        let (key, at) = match &field.attrs.key {
            Some(key) => (key.value.value(), key.value.to_token_stream()),
            None => {
                let name = field.ident.unraw().to_string();
                let name = self.case.map_or(name.clone(), |case| case.of_field(&name));
                (name, field.ident.to_token_stream())
            }
        };
        if key.is_empty() {
            errors.at(
                at,
                "a key has at least one character: leave `key` out to use the field's name",
            );
            return None;
        }
        if let Some(wrong) = not_of_a_token(&key) {
            let hint = match field.attrs.key {
                Some(_) => "",
                None => "\n  the field can keep its name beside `#[baggage(key = \"..\")]`",
            };
            errors.at(at, no_key(&key, wrong, hint));
            return None;
        }
        let key = format!("{}{key}", self.prefix);
        if let Some((_, first)) = self.taken.iter().find(|(other, _)| *other == key) {
            errors.at(
                at,
                format_args!(
                    "the key `{key}` is already that of the field `{first}`: give one of them another with \
                     `#[baggage(key = \"..\")]`"
                ),
            );
            return None;
        }
        self.taken.push((key.clone(), field.ident.clone()));
        Some(key)
    }
}

/// The first character of `key` that is no `tchar` of RFC 9110, section 5.6.2.
fn not_of_a_token(key: &str) -> Option<char> {
    key.chars()
        .find(|letter| !letter.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~".contains(*letter))
}

fn no_key(key: &str, wrong: char, hint: &str) -> String {
    format!(
        "`{}` cannot be a key: keys are tokens (RFC 9110), which never have {wrong:?}\n  \
         use only ASCII letters, digits and !#$%&'*+-.^_`|~{hint}",
        key.escape_debug()
    )
}
