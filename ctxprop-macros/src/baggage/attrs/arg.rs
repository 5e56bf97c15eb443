//! One argument of `#[baggage(..)]`, whatever it means.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, ExprLit, Ident, Lit, LitInt, LitStr, Token};

/// `name`, `name = value` or `name(list)`.
pub(super) struct Arg {
    pub(super) name: Ident,
    pub(super) value: Value,
}

pub(super) enum Value {
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

impl Arg {
    /// The string behind `=`, or else what was `expected`.
    pub(super) fn string(&self, expected: &str) -> syn::Result<LitStr> {
        match literal(self.is(expected)?) {
            Some(Lit::Str(text)) => Ok(text.clone()),
            _ => Err(Error::new_spanned(self.is(expected)?, expected)),
        }
    }

    /// The number behind `=`, or else what was `expected`.
    pub(super) fn integer(&self, expected: &str) -> syn::Result<LitInt> {
        match literal(self.is(expected)?) {
            Some(Lit::Int(number)) if matches!(number.suffix(), "" | "usize") => Ok(number.clone()),
            _ => Err(Error::new_spanned(self.is(expected)?, expected)),
        }
    }

    pub(super) fn is(&self, expected: &str) -> syn::Result<&Expr> {
        match &self.value {
            Value::Is(value) => Ok(value),
            _ => Err(Error::new(self.name.span(), expected)),
        }
    }

    /// Nothing behind the name.
    pub(super) fn alone(&self) -> syn::Result<()> {
        match self.value {
            Value::None => Ok(()),
            _ => Err(Error::new(self.name.span(), format_args!("`{}` takes no value", self.name))),
        }
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
