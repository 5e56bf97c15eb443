//! The grammar of arguments, which both macros share: `name`, `name = value` and `name(list)`, with commas between them. What
//! a name means, and what its value may be, each macro says.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Error, Expr, Ident, Lit, LitInt, LitStr, Token, parenthesized};

pub(crate) struct Arg {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

/// What stands behind a name.
pub(crate) enum Value {
    None,
    Is(TokenStream),
    List(Group),
}

impl Arg {
    /// The arguments that `tokens` are. `expected` is what to say where there is none.
    pub(crate) fn list(tokens: TokenStream, expected: &str) -> syn::Result<Vec<Arg>> {
        let parser = |input: ParseStream<'_>| {
            let mut list = Vec::new();
            while !input.is_empty() {
                if !input.peek(Ident::peek_any) {
                    return Err(input.error(expected));
                }
                list.push(input.parse()?);
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(list)
        };
        parser.parse2(tokens)
    }

    /// Its name, as a plain word.
    pub(crate) fn word(&self) -> String {
        self.name.unraw().to_string()
    }

    /// Nothing behind the name.
    pub(crate) fn alone(&self) -> syn::Result<()> {
        match self.value {
            Value::None => Ok(()),
            _ => Err(Error::new(
                self.name.span(),
                format_args!("`{}` takes no value", self.name.unraw()),
            )),
        }
    }

    /// What stands behind `=`, or else what was `expected`.
    pub(crate) fn is(&self, expected: &str) -> syn::Result<&TokenStream> {
        match &self.value {
            Value::Is(value) => Ok(value),
            _ => Err(Error::new(self.name.span(), expected)),
        }
    }

    /// The same, read as a `T`.
    pub(crate) fn parse<T: Parse>(&self, expected: &str) -> syn::Result<T> {
        let value = self.is(expected)?;
        syn::parse2(value.clone()).map_err(|_| Error::new_spanned(value, expected))
    }

    /// The string behind `=`.
    pub(crate) fn string(&self, expected: &str) -> syn::Result<LitStr> {
        self.parse(expected)
    }

    /// The number behind `=`.
    pub(crate) fn integer(&self, expected: &str) -> syn::Result<LitInt> {
        match self.parse(expected)? {
            Lit::Int(number)
                if matches!(number.suffix(), "" | "usize")
                    && !number.base10_digits().starts_with('-') =>
            {
                Ok(number)
            }
            _ => Err(Error::new_spanned(self.is(expected)?, expected)),
        }
    }
}

impl Parse for Arg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?;
        let value = if input.peek(Token![=]) {
            let equals: Token![=] = input.parse()?;
            let value = value(input)?;
            if value.is_empty() {
                let message = format_args!("expected a value behind `{name} =`");
                return Err(Error::new_spanned(equals, message));
            }
            Value::Is(value)
        } else if input.peek(syn::token::Paren) {
            Value::List(input.parse()?)
        } else if input.is_empty() || input.peek(Token![,]) {
            Value::None
        } else {
            return Err(input.error(format_args!("expected `=`, `(` or `,` behind `{name}`")));
        };
        Ok(Arg { name, value })
    }
}

/// An expression, in which a comma may stand; or else all up to the next one, for a message about that.
fn value(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let ahead = input.fork();
    if let Ok(value) = ahead.parse::<Expr>()
        && (ahead.is_empty() || ahead.peek(Token![,]))
    {
        input.advance_to(&ahead);
        return Ok(value.into_token_stream());
    }
    let mut value = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        value.extend([input.parse::<TokenTree>()?]);
    }
    Ok(value)
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

impl ToTokens for Arg {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let name = &self.name;
        tokens.extend(match &self.value {
            Value::None => quote!(#name),
            Value::Is(value) => quote!(#name = #value),
            Value::List(list) => quote!(#name #list),
        });
    }
}
