//! The arguments of `#[propagate(..)]`: what they are, and what is wrong with them.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, LitStr, Token, parenthesized, parse_quote};

use super::rules::{ALLOW, Allow};
use crate::errors::Errors;
use crate::krate::{CRATE, Krate, Private};
use crate::nearest;

mod budget;
mod span;

pub(crate) use self::budget::Budget;
pub(crate) use self::span::SpanArgs;

const KEYS: &[&str] =
    &["budget", "span", "fields", "boxed", "local", "unwind", "ctx", "allow", "skip", "crate"];

const CTX: &str = "expected `ctx = name`, the parameter that is the context";

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) budget: Option<Budget>,
    pub(crate) span: Option<SpanArgs>,
    pub(crate) boxed: Option<Ident>,
    /// Asks no `Send` where a trait or a box would.
    pub(crate) local: Option<Ident>,
    pub(crate) unwind: Option<Ident>,
    /// The parameter that is the context, where its type has another name.
    pub(crate) ctx: Option<Ident>,
    pub(crate) allowed: Vec<Allow>,
    /// Leaves the item as it is, inside of another that is annotated.
    pub(crate) skip: Option<Ident>,
    pub(crate) krate: Krate,
    /// As they were written, but for `crate`.
    written: Vec<TokenStream>,
    keys: Vec<Ident>,
}

impl Args {
    /// Parses what it can, and reports the rest.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Args {
        let mut args = Args::default();
        let list = Punctuated::<Arg, Token![,]>::parse_terminated.parse2(tokens);
        let mut fields = None;
        for arg in errors.ok(list).into_iter().flatten() {
            let key = arg.key.unraw();
            if args.keys.contains(&key) && key != "allow" {
                errors.at(&arg.key, format_args!("`{key}` was given twice"));
                continue;
            }
            if key != "crate" {
                args.written.push(arg.to_token_stream());
            }
            args.keys.push(arg.key.unraw());
            match (key == "fields", &arg.value) {
                (true, Value::List(list)) if !list.stream().is_empty() => {
                    let parsed = inside(list, span::Fields::parse);
                    fields = errors.ok(parsed).map(|fields| (arg.key, fields));
                }
                (true, _) => errors.at(&arg.key, span::FIELDS),
                (false, _) => args.take(arg, errors),
            }
        }
        match (&mut args.span, fields) {
            (Some(span), Some((_, fields))) => span.fields = fields,
            // one that is wrong has been reported
            (None, Some((key, _))) if !args.keys.iter().any(|key| key == "span") => {
                errors.at(key, "`fields` are those of a span: add `span`");
            }
            _ => {}
        }
        args
    }

    fn take(&mut self, Arg { key, value }: Arg, errors: &mut Errors) {
        let name = key.unraw().to_string();
        match (&*name, value) {
            ("unwind", Value::None) => self.unwind = Some(key),
            ("boxed", Value::None) => self.boxed = Some(key),
            ("local", Value::None) => self.local = Some(key),
            ("skip", Value::None) => self.skip = Some(key),
            ("span", Value::None) => self.span = Some(SpanArgs::default()),
            ("span", Value::Is(value)) => {
                let name = syn::parse2::<LitStr>(value.clone())
                    .map_err(|_| Error::new_spanned(value, span::SPAN));
                self.span = errors
                    .ok(name)
                    .map(|name| SpanArgs { name: Some(name), ..SpanArgs::default() });
            }
            ("budget", Value::Is(value)) => self.budget = errors.ok(Budget::parse(value)),
            ("ctx", Value::Is(value)) => {
                let name = syn::parse2(value.clone());
                self.ctx = errors.ok(name.map_err(|_| Error::new_spanned(value, CTX)));
            }
            ("crate", Value::Is(value)) => {
                self.krate = errors.ok(Krate::parse(value)).unwrap_or_default();
            }
            ("allow", Value::List(list)) if !list.stream().is_empty() => {
                self.allowed.extend(Allow::parse(&list, errors));
            }
            ("unwind" | "boxed" | "local" | "skip", _) => {
                errors.at(key, format_args!("`{name}` takes no value"));
            }
            ("span", _) => errors.at(key, span::SPAN),
            ("budget", _) => errors.at(key, budget::BUDGET),
            ("ctx", _) => errors.at(key, CTX),
            ("crate", _) => errors.at(key, CRATE),
            ("allow", _) => errors.at(key, ALLOW),
            (unknown, _) => {
                let hint = nearest::hint(unknown, KEYS).unwrap_or_else(expected);
                errors.at(&key, format_args!("unknown argument `{unknown}`{hint}"));
            }
        }
    }

    /// These, for an item inside of another whose arguments they replace. Where ctxprop is does not change.
    pub(crate) fn inside(mut self, outer: &Args) -> Args {
        if !self.keys.iter().any(|key| key == "crate") {
            self.krate = outer.krate.clone();
        }
        self
    }

    /// The attribute that says the same.
    pub(crate) fn attribute(&self) -> Attribute {
        self.attribute_as(&quote!(propagate))
    }

    /// The same, under the name that the macro has at `name` in the core crate.
    pub(crate) fn attribute_as(&self, name: &impl ToTokens) -> Attribute {
        let (path, written, krate) = (self.krate.path(), &self.written, self.krate.argument());
        let args = written.iter().chain(&krate);
        parse_quote!(#[#path::#name(#(#args),*)])
    }

    /// The key `name` as it was written, to point at.
    pub(crate) fn key(&self, name: &str) -> Option<&Ident> {
        self.keys.iter().find(|key| *key == name)
    }

    /// Where generated code finds what only macros use.
    pub(crate) fn private(&self) -> Private {
        self.krate.private()
    }
}

/// Parses what is between the parentheses: where it ends too early, the message is at the closing one.
pub(crate) fn inside<T>(
    list: &Group,
    parse: fn(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<T> {
    let parser = |input: ParseStream<'_>| {
        let content;
        parenthesized!(content in input);
        parse(&content)
    };
    parser.parse2(list.to_token_stream())
}

fn expected() -> String {
    let keys: Vec<_> = KEYS.iter().map(|key| format!("`{key}`")).collect();
    format!("\n  the arguments are {}", keys.join(", "))
}

/// `key`, `key = value` or `key(list)`.
struct Arg {
    key: Ident,
    value: Value,
}

enum Value {
    None,
    Is(TokenStream),
    List(Group),
}

impl Parse for Arg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format_args!("expected an argument{}", expected())));
        }
        let key = input.call(Ident::parse_any)?;
        let value = if input.peek(Token![=]) {
            let equals: Token![=] = input.parse()?;
            let mut value = TokenStream::new();
            while !input.is_empty() && !input.peek(Token![,]) {
                value.extend([input.parse::<TokenTree>()?]);
            }
            if value.is_empty() {
                let message = format_args!("expected a value for `{key}`");
                return Err(Error::new_spanned(equals, message));
            }
            Value::Is(value)
        } else if input.peek(syn::token::Paren) {
            Value::List(input.parse()?)
        } else if input.is_empty() || input.peek(Token![,]) {
            Value::None
        } else {
            return Err(input.error(format_args!("expected `=`, `(` or `,` behind `{key}`")));
        };
        Ok(Arg { key, value })
    }
}

impl ToTokens for Arg {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let key = &self.key;
        tokens.extend(match &self.value {
            Value::None => quote!(#key),
            Value::Is(value) => quote!(#key = #value),
            Value::List(list) => quote!(#key #list),
        });
    }
}
