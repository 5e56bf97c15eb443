//! The arguments of `#[propagate(..)]`, as they were written. Each that does something has a file of its own, with how it is
//! read and what it does; `local` and `skip` are words that others ask for, `crate` is both macros' (`krate.rs`). What makes no
//! sense for a function is for `validate.rs`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::Parse;
use syn::{Attribute, Error, Ident, parse_quote};

use crate::arg::{Arg, Value, inside};
use crate::errors::Errors;
use crate::krate::{CRATE, Krate, Private};
use crate::nearest;

pub(super) mod allow;
mod boxed;
mod budget;
pub(super) mod ctx;
mod span;
mod unwind;

use self::allow::{ALLOW, Allow};
pub(crate) use self::boxed::Boxed;
pub(crate) use self::budget::Budget;
use self::ctx::CTX;
use self::span::Fields;
pub(crate) use self::span::SpanArgs;
pub(crate) use self::unwind::Unwind;

const KEYS: &[&str] =
    &["budget", "span", "fields", "boxed", "local", "unwind", "ctx", "allow", "skip", "crate"];

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) budget: Option<Budget>,
    pub(crate) span: Option<SpanArgs>,
    pub(crate) boxed: Option<Boxed>,
    /// Asks no `Send` where a trait or a box would.
    pub(crate) local: Option<Ident>,
    pub(crate) unwind: Option<Unwind>,
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
        let list = Arg::list(tokens, &format!("expected an argument{}", expected()));
        let mut fields = None;
        for arg in errors.ok(list).into_iter().flatten() {
            let key = arg.name.unraw();
            if args.keys.contains(&key) && key != "allow" {
                errors.at(&arg.name, format_args!("`{key}` was given twice"));
                continue;
            }
            if key != "crate" {
                args.written.push(arg.to_token_stream());
            }
            args.keys.push(key.clone());
            match (key == "fields", &arg.value) {
                (true, Value::List(list)) if !list.stream().is_empty() => {
                    let parsed = inside(list, Fields::parse);
                    fields = errors.ok(parsed).map(|fields| (arg.name, fields));
                }
                (true, _) => errors.at(&arg.name, span::FIELDS),
                (false, _) => {
                    let taken = args.take(arg, errors);
                    errors.ok(taken);
                }
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

    fn take(&mut self, arg: Arg, errors: &mut Errors) -> syn::Result<()> {
        let word = arg.word();
        match &*word {
            "unwind" => self.unwind = Some(Unwind::parse(arg)?),
            "boxed" => self.boxed = Some(Boxed::parse(arg)?),
            "local" | "skip" => {
                arg.alone()?;
                let flag = if word == "local" { &mut self.local } else { &mut self.skip };
                *flag = Some(arg.name);
            }
            "span" => self.span = Some(SpanArgs::parse(&arg)?),
            "budget" => self.budget = Some(Budget::parse(&arg)?),
            "ctx" => self.ctx = Some(arg.parse(CTX)?),
            "crate" => self.krate = Krate::parse(arg.is(CRATE)?.clone())?,
            "allow" => match &arg.value {
                Value::List(list) if !list.stream().is_empty() => {
                    self.allowed.extend(Allow::parse(list, errors));
                }
                _ => return Err(Error::new(arg.name.span(), ALLOW)),
            },
            unknown => {
                let hint = nearest::hint(unknown, KEYS).unwrap_or_else(expected);
                let message = format_args!("unknown argument `{unknown}`{hint}");
                return Err(Error::new(arg.name.span(), message));
            }
        }
        Ok(())
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

fn expected() -> String {
    let keys: Vec<_> = KEYS.iter().map(|key| format!("`{key}`")).collect();
    format!("\n  the arguments are {}", keys.join(", "))
}
