//! `#[baggage(..)]` on the item, on its fields and on its variants: what is written there, and what of it cannot be
//! read.
//!
//! What makes no sense together, or for the field it is on, is for `validate.rs`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Error, Expr, Ident, LitInt, LitStr, Meta};

use super::case::Case;
use crate::arg::{Arg, Value};
use crate::errors::Errors;
use crate::krate::{CRATE, Krate};

#[derive(Default)]
pub(super) struct ItemAttrs {
    pub(super) krate: Krate,
    pub(super) rename_all: Option<Case>,
    pub(super) prefix: Option<LitStr>,
    pub(super) max_bytes: Option<Given<LitInt>>,
    /// The lints that what is derived must not raise either, although it names the user's types and fields.
    pub(super) allowed: Vec<TokenStream>,
}

#[derive(Default)]
pub(super) struct FieldAttrs {
    pub(super) key: Option<Given<LitStr>>,
    pub(super) max_len: Option<Given<LitInt>>,
    /// With the value, or with that of the type.
    pub(super) default: Option<Given<Option<Expr>>>,
    pub(super) private: Option<Given<()>>,
    pub(super) skip: Option<Given<()>>,
    pub(super) flatten: Option<Given<()>>,
    /// Something could not be read, so nobody knows what the field was meant to be.
    pub(super) unreadable: bool,
}

/// What stands behind the name of an attribute.
pub(super) struct Given<T> {
    pub(super) name: Ident,
    pub(super) value: T,
}

const ON_STRUCT: &str = "`rename_all`, `prefix`, `max_bytes` or `crate`";
const ON_FIELD: &str = "`key`, `max_len`, `default`, `private`, `flatten` or `skip`";
const ON_ENUM: &str = "`rename_all` or `crate`";
const ON_VARIANT: &str = "`value`";

const NAME: &str = "expected a name, such as `key` in `#[baggage(key = \"user.id\")]`";
const KEY: &str = "expected the key as a string, such as `key = \"user.id\"`";
const MAX_LEN: &str = "expected a number of bytes, such as `max_len = 32`";
const DEFAULT: &str = "expected `default`, or `default = value`";
const PREFIX: &str = "expected what all keys begin with, such as `prefix = \"shop.\"`";
const MAX_BYTES: &str = "expected a number of bytes, such as `max_bytes = 512`";
const VALUE: &str = "expected the value as a string, such as `value = \"gold\"`";

/// What is wrong with an argument that is not expected where it is.
fn misplaced(name: &Ident, known: &str, expected: &str) -> Error {
    let home = match known {
        "key" | "max_len" | "default" | "private" | "skip" | "flatten" => "a field",
        "prefix" | "max_bytes" => "the struct",
        "rename_all" | "crate" => "the struct or enum",
        "value" => "a variant",
        _ => {
            let message = format_args!("unknown attribute `{name}`: expected {expected}");
            return Error::new(name.span(), message);
        }
    };
    Error::new(name.span(), format_args!("`{name}` goes on {home}"))
}

pub(super) fn of_struct(attrs: &[Attribute], errors: &mut Errors) -> ItemAttrs {
    let mut read = ItemAttrs::default();
    for_each(attrs, ON_STRUCT, errors, |known, arg| {
        match known {
            "prefix" => read.prefix = Some(arg.string(PREFIX)?),
            "max_bytes" => {
                let value = arg.integer(MAX_BYTES)?;
                read.max_bytes = Some(Given { name: arg.name, value });
            }
            _ => read.take(known, &arg, ON_STRUCT)?,
        }
        Ok(())
    });
    read
}

pub(super) fn of_enum(attrs: &[Attribute], errors: &mut Errors) -> ItemAttrs {
    let mut read = ItemAttrs::default();
    for_each(attrs, ON_ENUM, errors, |known, arg| read.take(known, &arg, ON_ENUM));
    read
}

impl ItemAttrs {
    fn take(&mut self, known: &str, arg: &Arg, expected: &str) -> syn::Result<()> {
        match known {
            "crate" => self.krate = Krate::parse(arg.is(CRATE)?.clone())?,
            "rename_all" => self.rename_all = Some(Case::parse(&arg.string(Case::EXPECTED)?)?),
            _ => return Err(misplaced(&arg.name, known, expected)),
        }
        Ok(())
    }
}

pub(super) fn of_field(attrs: &[Attribute], errors: &mut Errors) -> FieldAttrs {
    let mut read = FieldAttrs::default();
    let all_read = for_each(attrs, ON_FIELD, errors, |known, arg| {
        let taken = read.take(known, arg);
        // without these two it is still clear what the field is
        read.unreadable |= taken.is_err() && !matches!(known, "max_len" | "default");
        taken
    });
    read.unreadable |= !all_read;
    read
}

impl FieldAttrs {
    fn take(&mut self, known: &str, arg: Arg) -> syn::Result<()> {
        match known {
            "key" => {
                let value = arg.string(KEY)?;
                self.key = Some(Given { name: arg.name, value });
            }
            "max_len" => {
                let value = arg.integer(MAX_LEN)?;
                self.max_len = Some(Given { name: arg.name, value });
            }
            "default" => {
                let value = match arg.value {
                    Value::Is(_) => Some(arg.parse(DEFAULT)?),
                    Value::None => None,
                    Value::List(_) => return Err(Error::new(arg.name.span(), DEFAULT)),
                };
                self.default = Some(Given { name: arg.name, value });
            }
            "private" => self.private = Some(alone(arg)?),
            "skip" => self.skip = Some(alone(arg)?),
            "flatten" => self.flatten = Some(alone(arg)?),
            _ => return Err(misplaced(&arg.name, known, ON_FIELD)),
        }
        Ok(())
    }
}

fn alone(arg: Arg) -> syn::Result<Given<()>> {
    arg.alone()?;
    Ok(Given { name: arg.name, value: () })
}

/// The value of a variant, if it has one of its own; `Err` if that cannot be read.
pub(super) fn of_variant(attrs: &[Attribute], errors: &mut Errors) -> Result<Option<LitStr>, ()> {
    let mut read = None;
    let mut taken = true;
    let all_read = for_each(attrs, ON_VARIANT, errors, |known, arg| {
        let value = match known {
            "value" => arg.string(VALUE),
            _ => Err(misplaced(&arg.name, known, ON_VARIANT)),
        };
        taken &= value.is_ok();
        read = Some(value?);
        Ok(())
    });
    if all_read && taken { Ok(read) } else { Err(()) }
}

/// Hands each argument to `take`, with its name, and says whether there were only arguments.
fn for_each(
    attrs: &[Attribute],
    expected: &str,
    errors: &mut Errors,
    mut take: impl FnMut(&str, Arg) -> syn::Result<()>,
) -> bool {
    let mut all_read = true;
    let mut seen: Vec<String> = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("baggage")) {
        let args = match &attr.meta {
            Meta::List(list) => Arg::list(list.tokens.clone(), NAME),
            meta => {
                let message = format_args!("expected `#[baggage(..)]` with {expected}");
                Err(Error::new_spanned(meta.path(), message))
            }
        };
        let args = errors.ok(args);
        all_read &= args.is_some();
        for arg in args.into_iter().flatten() {
            let name = arg.word();
            if seen.contains(&name) {
                errors.at(&arg.name, format_args!("`{name}` was given twice"));
            } else {
                errors.ok(take(&name, arg));
                seen.push(name);
            }
        }
    }
    all_read
}

/// The lints that the item allows, and that of what is deprecated, itself or inside.
pub(super) fn allowed<'a>(
    item: &'a [Attribute],
    inside: impl Iterator<Item = &'a Attribute>,
) -> Vec<TokenStream> {
    let is_deprecated = |attr: &Attribute| attr.path().is_ident("deprecated");
    let deprecated = item.iter().chain(inside).any(is_deprecated);
    let lints = item.iter().filter_map(|attr| match &attr.meta {
        // of an `expect` nothing may be left to expect there
        Meta::List(list) if list.path.is_ident("allow") || list.path.is_ident("expect") => {
            Some(list.tokens.clone())
        }
        _ => None,
    });
    lints.chain(deprecated.then(|| quote!(deprecated))).collect()
}
