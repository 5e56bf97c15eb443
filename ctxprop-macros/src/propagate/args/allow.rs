//! `allow(rule, .., reason = "..")`.

use syn::parse::ParseStream;
use syn::{Error, Ident, LitStr, Token};

use crate::propagate::rules::Rule;

pub(super) const ALLOW: &str = "expected `allow(rule, reason = \"why it is right here\")`";

/// What stands between the parentheses.
pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Vec<Rule>> {
    let mut rules = Vec::new();
    let mut reason = false;
    let start = input.span();
    let otherwise = |error: Error| Error::new(error.span(), ALLOW);
    while !input.is_empty() {
        let name: Ident = input.parse().map_err(otherwise)?;
        if name == "reason" {
            input.parse::<Token![=]>().map_err(otherwise)?;
            let text: LitStr = input.parse().map_err(otherwise)?;
            if text.value().trim().is_empty() {
                return Err(Error::new(
                    text.span(),
                    "the reason is for whoever reads this next: say why",
                ));
            }
            reason = true;
        } else {
            rules.push(Rule::named(&name)?);
        }
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    match (rules.last(), reason) {
        (None, _) => Err(Error::new(start, ALLOW)),
        (Some(_), false) => {
            Err(Error::new(start, "`allow` needs a reason: `reason = \"why it is right here\"`"))
        }
        (Some(_), true) => Ok(rules),
    }
}
