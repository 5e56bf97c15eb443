//! `allow(rule, reason = "..")`, on the function and on one statement; and what else a statement may say.

use proc_macro2::{Group, Span};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, Ident, LitStr, Meta, Token};

use crate::arg::inside;
use crate::errors::Errors;
use crate::nearest;
use crate::propagate::macros::Said;
use crate::propagate::rules::Rule;

/// One rule that is switched off.
#[derive(Clone)]
pub(crate) struct Allow {
    pub(crate) rule: Rule,
    /// Its name, where it was given.
    pub(crate) at: Ident,
    /// Whether anything under it breaks the rule, or may.
    pub(crate) used: bool,
}

pub(super) const ALLOW: &str = "expected `allow(rule, reason = \"why it is right here\")`";

impl Allow {
    /// What stands in `allow(..)`. If it cannot be read, nobody knows what was meant, and the code below it is not a
    /// second mistake: all is allowed.
    pub(crate) fn parse(list: &Group, errors: &mut Errors) -> Vec<Allow> {
        or_all(inside(list, parse), errors)
    }

    /// An allow on a function, or on all in an `impl` block or module: it may be wider than what it is for.
    pub(crate) fn wide(self) -> Allow {
        Allow { used: true, ..self }
    }
}

fn or_all(parsed: syn::Result<Vec<Allow>>, errors: &mut Errors) -> Vec<Allow> {
    errors.ok(parsed).unwrap_or_else(|| {
        let at = Ident::new("allow", Span::call_site());
        Rule::ALL.map(|rule| Allow { rule, at: at.clone(), used: true }).to_vec()
    })
}

/// Parses `#[propagate(allow(..))]` on a statement.
pub(crate) fn on_a_statement(attr: &Attribute, errors: &mut Errors) -> (Vec<Allow>, Option<Said>) {
    let mut said = None;
    (or_all(parse_on_a_statement(attr, &mut said), errors), said)
}

fn parse_on_a_statement(attr: &Attribute, said: &mut Option<Said>) -> syn::Result<Vec<Allow>> {
    const ONLY: &str = "inside a body, `#[propagate(..)]` takes `allow(rule, reason = \"..\")`, and for the macros in the \
                        statement `skip` or `expressions`";
    let Meta::List(list) = &attr.meta else {
        return Err(Error::new_spanned(attr.path(), ONLY));
    };
    let parser = |input: ParseStream<'_>| {
        let mut allowed = Vec::new();
        while !input.is_empty() {
            let name =
                input.call(Ident::parse_any).map_err(|error| Error::new(error.span(), ONLY))?;
            let of_macros = match &*name.to_string() {
                "skip" => Some(Said::Skip),
                "expressions" => Some(Said::Expressions),
                _ => None,
            };
            if of_macros.is_some() {
                *said = of_macros;
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
                continue;
            }
            if name != "allow" || !input.peek(syn::token::Paren) {
                return Err(Error::new(name.span(), if name == "allow" { ALLOW } else { ONLY }));
            }
            allowed.extend(inside(&input.parse()?, parse)?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(allowed)
    };
    parser.parse2(list.tokens.clone())
}

/// `rule, .., reason = ".."`.
fn parse(input: ParseStream<'_>) -> syn::Result<Vec<Allow>> {
    let mut allowed = Vec::new();
    let mut reason = false;
    let start = input.span();
    while !input.is_empty() {
        let name: Ident = input.parse().map_err(|error| Error::new(error.span(), ALLOW))?;
        if name == "reason" {
            let text = reason_text(input)
                .map_err(|_| Error::new(name.span(), format_args!("expected {REASON}")))?;
            if text.value().trim().is_empty() {
                let message = "the reason is for whoever reads this next: say why";
                return Err(Error::new(text.span(), message));
            }
            reason = true;
        } else {
            allowed.push(Allow { rule: rule(&name, input)?, at: name, used: false });
        }
        if !input.is_empty() {
            input.parse::<Token![,]>().map_err(|error| Error::new(error.span(), ALLOW))?;
        }
    }
    match (allowed.last(), reason) {
        (None, _) => Err(Error::new(start, ALLOW)),
        (Some(_), false) => {
            Err(Error::new(start, format_args!("`allow` needs a reason: {REASON}")))
        }
        (Some(_), true) => Ok(allowed),
    }
}

const REASON: &str = "`reason = \"why it is right here\"`";

fn reason_text(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// The rule of this name. Dashes are how messages write it, and not how it is written here.
fn rule(name: &Ident, input: ParseStream<'_>) -> syn::Result<Rule> {
    let mut given = name.to_string();
    while input.peek(Token![-]) && input.peek2(Ident) {
        input.parse::<Token![-]>()?;
        given = format!("{given}-{}", input.parse::<Ident>()?);
    }
    if let Some(rule) = Rule::ALL.into_iter().find(|rule| rule.name() == given) {
        return Ok(rule);
    }
    let names = Rule::ALL.map(Rule::name);
    let hint = nearest::hint(&given.replace('-', "_"), &names)
        .unwrap_or_else(|| format!("\n  the rules are `{}`", names.join("`, `")));
    let message = format!("unknown rule `{given}`{hint}");
    Err(Error::new(name.span(), message))
}
