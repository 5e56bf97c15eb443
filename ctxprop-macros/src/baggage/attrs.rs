//! `#[baggage(..)]` on the struct and on its fields: what is written there, and what of it cannot be read.
//!
//! What makes no sense together, or for the field it is on, is for `validate.rs`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Expr, ExprLit, Ident, ItemStruct, Lit, LitInt, LitStr, Meta, Token};

use crate::errors::Errors;
use crate::krate::{CRATE, Krate};

#[derive(Default)]
pub(super) struct StructAttrs {
    pub(super) krate: Krate,
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
    /// Something could not be read, so nobody knows what the field was meant to be.
    pub(super) unreadable: bool,
}

/// What stands behind the name of an attribute.
pub(super) struct Given<T> {
    pub(super) name: Ident,
    pub(super) value: T,
}

const ON_STRUCT: &str = "`crate`";
const ON_FIELD: &str = "`key`, `max_len`, `default`, `private` or `skip`";

pub(super) fn of_struct(item: &ItemStruct, errors: &mut Errors) -> StructAttrs {
    let mut read = StructAttrs { allowed: allowed(item), ..StructAttrs::default() };
    for_each(&item.attrs, ON_STRUCT, errors, |name, arg| {
        match (name, arg.value) {
            ("crate", Value::Is(value)) => read.krate = Krate::parse(value.into_token_stream())?,
            ("crate", _) => return Err(Error::new(arg.name.span(), CRATE)),
            ("key" | "max_len" | "default" | "private" | "skip", _) => {
                let message = format_args!("`{name}` goes on a field");
                return Err(Error::new(arg.name.span(), message));
            }
            _ => return Err(unknown(&arg.name, ON_STRUCT)),
        }
        Ok(())
    });
    read
}

pub(super) fn of_field(attrs: &[Attribute], errors: &mut Errors) -> FieldAttrs {
    let mut read = FieldAttrs::default();
    let all_read = for_each(attrs, ON_FIELD, errors, |name, arg| {
        let taken = read.take(name, arg);
        // without these two it is still clear what the field is
        read.unreadable |= taken.is_err() && !matches!(name, "max_len" | "default");
        taken
    });
    read.unreadable |= !all_read;
    read
}

impl FieldAttrs {
    fn take(&mut self, known: &str, Arg { name, value }: Arg) -> syn::Result<()> {
        let at = name.span();
        match (known, value) {
            ("key", Value::Is(value)) => {
                let value = string(&value)?;
                self.key = Some(Given { name, value });
            }
            ("max_len", Value::Is(value)) => {
                let value = integer(&value)?;
                self.max_len = Some(Given { name, value });
            }
            ("default", Value::Is(value)) => {
                let value = Some(value);
                self.default = Some(Given { name, value });
            }
            ("default", Value::None) => self.default = Some(Given { name, value: None }),
            ("private", Value::None) => self.private = Some(Given { name, value: () }),
            ("skip", Value::None) => self.skip = Some(Given { name, value: () }),
            ("key", _) => return Err(Error::new(at, KEY)),
            ("max_len", _) => return Err(Error::new(at, MAX_LEN)),
            ("default", _) => return Err(Error::new(at, DEFAULT)),
            ("private" | "skip", _) => {
                return Err(Error::new(at, format_args!("`{name}` takes no value")));
            }
            ("crate", _) => return Err(Error::new(at, "`crate` goes on the struct")),
            _ => return Err(unknown(&name, ON_FIELD)),
        }
        Ok(())
    }
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
            Meta::List(list) => {
                Punctuated::<Arg, Token![,]>::parse_terminated.parse2(list.tokens.clone())
            }
            meta => {
                let message = format_args!("expected `#[baggage(..)]` with {expected}");
                Err(Error::new_spanned(meta.path(), message))
            }
        };
        let args = errors.ok(args);
        all_read &= args.is_some();
        for arg in args.into_iter().flatten() {
            let name = arg.name.unraw().to_string();
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

/// The lints that the struct allows, and that of what is deprecated.
fn allowed(item: &ItemStruct) -> Vec<TokenStream> {
    let fields = item.fields.iter().flat_map(|field| &field.attrs);
    let is_deprecated = |attr: &Attribute| attr.path().is_ident("deprecated");
    let deprecated = item.attrs.iter().chain(fields).any(is_deprecated);
    let lints = item.attrs.iter().filter_map(|attr| match &attr.meta {
        // of an `expect` nothing may be left to expect there
        Meta::List(list) if list.path.is_ident("allow") || list.path.is_ident("expect") => {
            Some(list.tokens.clone())
        }
        _ => None,
    });
    lints.chain(deprecated.then(|| quote!(deprecated))).collect()
}

fn unknown(name: &Ident, expected: &str) -> Error {
    let message = format_args!("unknown attribute `{name}`: expected {expected}");
    Error::new(name.span(), message)
}

/// `name`, `name = value` or `name(list)`.
struct Arg {
    name: Ident,
    value: Value,
}

enum Value {
    None,
    Is(Expr),
    List,
}

impl Parse for Arg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(
                input.error("expected a name, such as `key` in `#[baggage(key = \"user.id\")]`")
            );
        }
        let name = input.call(Ident::parse_any)?;
        let value = if input.peek(Token![=]) {
            let equals: Token![=] = input.parse()?;
            if input.is_empty() || input.peek(Token![,]) {
                let message = format_args!("expected a value behind `{name} =`");
                return Err(Error::new_spanned(equals, message));
            }
            Value::Is(input.parse()?)
        } else if input.peek(syn::token::Paren) {
            let list;
            syn::parenthesized!(list in input);
            list.parse::<TokenStream>()?;
            Value::List
        } else if input.is_empty() || input.peek(Token![,]) {
            Value::None
        } else {
            return Err(input.error(format_args!("expected `=` or `,` behind `{name}`")));
        };
        Ok(Arg { name, value })
    }
}

const KEY: &str = "expected the key as a string, such as `key = \"user.id\"`";
const MAX_LEN: &str = "expected a number of bytes, such as `max_len = 32`";
const DEFAULT: &str = "expected `default`, or `default = value`";

fn string(value: &Expr) -> syn::Result<LitStr> {
    match literal(value) {
        Some(Lit::Str(text)) => Ok(text.clone()),
        _ => Err(Error::new_spanned(value, KEY)),
    }
}

fn integer(value: &Expr) -> syn::Result<LitInt> {
    match literal(value) {
        Some(Lit::Int(number)) if matches!(number.suffix(), "" | "usize") => Ok(number.clone()),
        _ => Err(Error::new_spanned(value, MAX_LEN)),
    }
}

/// The literal, also where it came through somebody's `macro_rules`.
fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}
