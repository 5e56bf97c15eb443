//! The arguments of `#[propagate(..)]`: what they are, and what is wrong with them.

use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Ident, LitStr, Token, parenthesized};

use super::rules::{ALLOW, Allow};
use crate::errors::Errors;
use crate::krate::{CRATE, Krate, Private};

const KEYS: &str = "`budget`, `unwind`, `ctx`, `allow` or `crate`";

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) budget: Option<Budget>,
    /// The span of `unwind`.
    pub(crate) unwind: Option<Ident>,
    /// The parameter that is the context, where its type has another name.
    pub(crate) ctx: Option<Ident>,
    pub(crate) allowed: Vec<Allow>,
    krate: Krate,
}

/// What a body may use of its caller's time.
#[derive(Clone, Copy)]
pub(crate) enum Budget {
    Time(Duration),
    Share(f64),
}

impl Args {
    /// Parses what it can, and reports the rest.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Args {
        let mut args = Args::default();
        let list = Punctuated::<Arg, Token![,]>::parse_terminated.parse2(tokens);
        let mut seen: Vec<String> = Vec::new();
        for arg in errors.ok(list).into_iter().flatten() {
            let key = arg.key.unraw().to_string();
            if seen.contains(&key) && key != "allow" {
                errors.at(&arg.key, format_args!("`{key}` was given twice"));
                continue;
            }
            args.take(&key, arg, errors);
            seen.push(key);
        }
        args
    }

    fn take(&mut self, key: &str, arg: Arg, errors: &mut Errors) {
        match (key, arg.value) {
            ("unwind", Value::None) => self.unwind = Some(arg.key),
            ("budget", Value::Is(value)) => {
                let text =
                    syn::parse2(value.clone()).map_err(|_| syn::Error::new_spanned(value, BUDGET));
                self.budget = errors.ok(text.and_then(|text| budget(&text)));
            }
            ("ctx", Value::Is(value)) => {
                self.ctx = errors.ok(syn::parse2(value.clone()).map_err(|_| {
                    syn::Error::new_spanned(
                        value,
                        "expected the name of the parameter that is the context",
                    )
                }));
            }
            ("crate", Value::Is(value)) => {
                self.krate = errors.ok(Krate::parse(value)).unwrap_or_default();
            }
            ("allow", Value::List(list)) => self.allowed.extend(Allow::parse(list, errors)),
            ("unwind", _) => errors.at(&arg.key, "`unwind` takes no value"),
            ("budget", _) => {
                errors.at(&arg.key, "expected `budget = \"250ms\"` or `budget = \"40%\"`");
            }
            ("ctx", _) => {
                errors.at(&arg.key, "expected `ctx = name`, the parameter that is the context");
            }
            ("crate", _) => errors.at(&arg.key, CRATE),
            ("allow", _) => errors.at(&arg.key, ALLOW),
            _ => errors.at(&arg.key, format_args!("unknown argument `{key}`: expected {KEYS}")),
        }
    }

    /// Where generated code finds what only macros use.
    pub(crate) fn private(&self) -> Private {
        self.krate.private()
    }
}

/// `key`, `key = value` or `key(list)`.
struct Arg {
    key: Ident,
    value: Value,
}

enum Value {
    None,
    Is(TokenStream),
    List(TokenStream),
}

impl Parse for Arg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format_args!("expected {KEYS}")));
        }
        let key = input.call(Ident::parse_any)?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            let mut value = TokenStream::new();
            while !input.is_empty() && !input.peek(Token![,]) {
                value.extend([input.parse::<TokenTree>()?]);
            }
            if value.is_empty() {
                return Err(input.error(format_args!("expected a value for `{key}`")));
            }
            Value::Is(value)
        } else if input.peek(syn::token::Paren) {
            let list;
            parenthesized!(list in input);
            Value::List(list.parse()?)
        } else {
            Value::None
        };
        Ok(Arg { key, value })
    }
}

/// A duration as humans write it, or a share of what remains.
fn budget(text: &LitStr) -> syn::Result<Budget> {
    let value = text.value();
    let error = |message: &str| Err(syn::Error::new(text.span(), message));
    if let Some(percent) = value.strip_suffix('%') {
        return match percent.trim().parse::<f64>() {
            Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Budget::Share(percent / 100.0)),
            _ => error("expected a share of more than 0% and at most 100%"),
        };
    }
    match humantime::parse_duration(&value) {
        Ok(Duration::ZERO) => error("a budget of nothing ends the body before it starts"),
        Ok(budget) => Ok(Budget::Time(budget)),
        Err(_) => error(
            "expected a duration like \"250ms\", \"2s\" or \"1m 30s\", or a share like \"40%\"",
        ),
    }
}

const BUDGET: &str = "expected `budget = \"250ms\"` or `budget = \"40%\"`";
