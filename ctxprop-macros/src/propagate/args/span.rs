//! `span`, `span = "name"` and `fields(..)`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, LitStr, Token};

use crate::arg::{Arg, Value};
use crate::krate::Private;

const SPAN: &str = "expected `span` or `span = \"name\"`";
pub(super) const FIELDS: &str = "expected `fields(name = value, ..)`, as `tracing` writes fields";

/// The fields that each span has of itself.
const OURS: [&str; 3] = ["trace_id", "span_id", "parent_id"];

/// The `tracing` span around a body.
#[derive(Clone, Default)]
pub(crate) struct SpanArgs {
    name: Option<LitStr>,
    pub(super) fields: Fields,
}

impl SpanArgs {
    /// `span`, or `span = "name"`.
    pub(super) fn parse(arg: &Arg) -> syn::Result<SpanArgs> {
        let name = match arg.value {
            Value::None => None,
            _ => Some(arg.string(SPAN)?),
        };
        Ok(SpanArgs { name, fields: Fields::default() })
    }

    /// Opens the span in the body of `function`, where the names of its arguments mean something.
    pub(crate) fn open(&self, function: &Ident, private: &Private) -> TokenStream {
        let site = Span::mixed_site();
        let private = private.at(site);
        let name = match &self.name {
            Some(name) => name.clone(),
            None => LitStr::new(&function.unraw().to_string(), site),
        };
        let fields = &self.fields.0;
        quote_spanned! {site=>
            #private::open_span(#private::tracing::info_span!(
                #name,
                trace_id = %#private::trace_id(),
                span_id = %#private::span_id(),
                parent_id = #private::parent_id(),
                #fields
            ));
        }
    }
}

/// `name = value`, `name = %value`, `name = ?value`, `name`, `%name` or `?name`, each with dots in its name.
#[derive(Clone, Default)]
pub(super) struct Fields(Punctuated<Field, Token![,]>);

impl Parse for Fields {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Err(input.error(FIELDS));
        }
        Punctuated::parse_terminated(input).map(Fields)
    }
}

#[derive(Clone)]
struct Field(TokenStream);

impl ToTokens for Field {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}

impl Parse for Field {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let sigil = sigil(input)?;
        let name = if input.peek(LitStr) {
            input.parse::<LitStr>()?.into_token_stream()
        } else if input.peek(Ident::peek_any) {
            let names = Punctuated::<Ident, Token![.]>::parse_separated_nonempty_with(
                input,
                Ident::parse_any,
            )?;
            if let Some(name) = names.first().filter(|_| names.len() == 1)
                && OURS.iter().any(|ours| name == ours)
            {
                return Err(Error::new(name.span(), format_args!("`{name}` is there already")));
            }
            names.into_token_stream()
        } else {
            return Err(input.error(FIELDS));
        };
        if sigil.is_some() || !input.peek(Token![=]) {
            if !input.is_empty() && !input.peek(Token![,]) {
                return Err(input.error("expected `=` or `,`"));
            }
            return Ok(Field(quote!(#sigil #name)));
        }
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(Error::new_spanned(equals, "expected a value behind `=`"));
        }
        let (sigil, value) = (self::sigil(input)?, input.parse::<Expr>()?);
        Ok(Field(quote!(#name #equals #sigil #value)))
    }
}

fn sigil(input: ParseStream<'_>) -> syn::Result<Option<TokenStream>> {
    Ok(if input.peek(Token![%]) {
        Some(input.parse::<Token![%]>()?.into_token_stream())
    } else if input.peek(Token![?]) {
        Some(input.parse::<Token![?]>()?.into_token_stream())
    } else {
        None
    })
}
