//! The item under `#[propagate]`: a function or method, or the reason why it is none.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, Block, Error, Item, Signature, Token, Visibility};

/// A free function, an inherent method or a trait's method, with or without a body.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Option<Block>,
}

impl Function {
    pub(crate) fn parse(item: TokenStream) -> syn::Result<Function> {
        syn::parse2::<Function>(item.clone()).map_err(|error| match syn::parse2::<Item>(item) {
            Ok(item) => misplaced(&item),
            // rustc's own error for broken code is at least as good; ours says where the macro stopped.
            Err(_) => error,
        })
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        let body = if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
            None
        } else {
            Some(input.parse()?)
        };
        Ok(Function { attrs, vis, sig, body })
    }
}

fn misplaced(item: &Item) -> Error {
    let (token, what): (TokenStream, &str) = match item {
        Item::Impl(item) => (item.impl_token.to_token_stream(), "an `impl` block"),
        Item::Trait(item) => (item.trait_token.to_token_stream(), "a trait"),
        Item::Mod(item) => (item.mod_token.to_token_stream(), "a module"),
        Item::Struct(item) => (item.struct_token.to_token_stream(), "a struct"),
        Item::Enum(item) => (item.enum_token.to_token_stream(), "an enum"),
        Item::Union(item) => (item.union_token.to_token_stream(), "a union"),
        Item::Const(item) => (item.const_token.to_token_stream(), "a constant"),
        Item::Static(item) => (item.static_token.to_token_stream(), "a static"),
        Item::Type(item) => (item.type_token.to_token_stream(), "a type alias"),
        Item::Use(item) => (item.use_token.to_token_stream(), "a `use`"),
        item => {
            let first = item.to_token_stream().into_iter().next();
            (first.to_token_stream(), "this")
        }
    };
    let hint = match item {
        Item::Impl(_) | Item::Trait(_) | Item::Mod(_) => "put it on each `async fn` inside",
        _ => "it changes how a body awaits",
    };
    Error::new(
        token.span(),
        format_args!("`#[propagate]` goes on functions and methods, not on {what}: {hint}"),
    )
}
