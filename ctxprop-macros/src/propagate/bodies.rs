//! What stands before the user's code in a generated body: the arguments, moved in, and the prelude.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Pat, PatIdent, Receiver, parse_quote_spanned};

use super::Args;
use super::rewrite::{self, Frame, Rewriter};
use super::types::Output;
use crate::krate::Private;

/// Moves an argument, or what its pattern binds, into the body.
pub(crate) struct Binding(TokenStream);

/// An argument called `_name` is unused, and has to be moved all the same.
fn allow(name: &Ident) -> Option<TokenStream> {
    name.to_string().starts_with('_').then(|| {
        quote_spanned! {Span::mixed_site()=>
            #[allow(clippy::no_effect_underscore_binding, clippy::used_underscore_binding)]
        }
    })
}

impl ToTokens for Binding {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}

impl Binding {
    /// `self`, captured whole and as first, though nothing may use it.
    pub(crate) fn receiver(receiver: &Receiver) -> Binding {
        Binding::mention(&[], &Ident::new("self", receiver.self_token.span))
    }

    /// What an async block captures before it uses it, so that it captures all in their order.
    pub(crate) fn mention(attrs: &[Attribute], name: &Ident) -> Binding {
        let (cfgs, allow) = (cfgs(attrs), allow(name));
        Binding(quote_spanned!(Span::mixed_site()=> #(#cfgs)* #allow let _ = &#name;))
    }

    /// The context that was derived as the body began.
    pub(crate) fn of_current(name: &Ident, private: &Private) -> Binding {
        let private = private.at(name.span());
        Binding(quote_spanned!(name.span()=> let #name = #private::Ctx::current();))
    }

    /// An argument of a function that is rewritten whole. Its pattern moves into the body, as that of an
    /// `async fn` does.
    pub(crate) fn of_argument(index: usize, attrs: &[Attribute], pat: &mut Pat) -> Vec<Binding> {
        let site = Span::mixed_site();
        let cfgs = cfgs(attrs);
        match pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
                let (mutability, ident) = (pat.mutability.take(), &pat.ident);
                let allow = allow(ident);
                vec![Binding(
                    quote_spanned!(site=> #(#cfgs)* #allow let #mutability #ident = #ident;),
                )]
            }
            pat => {
                let name = format_ident!("arg{}", index, span = site);
                let inner = std::mem::replace(pat, parse_quote_spanned!(pat.span()=> #name));
                vec![
                    Binding(quote_spanned!(site=> #(#cfgs)* let #name = #name;)),
                    Binding(quote_spanned!(site=> #(#cfgs)* let #inner = #name;)),
                ]
            }
        }
    }

    /// The context, which is used by being named: a body that only passes it on gets no warning.
    pub(crate) fn of_context(attrs: &[Attribute], pat: &mut Pat, value: &TokenStream) -> Binding {
        let cfgs = cfgs(attrs);
        let inner = pat.clone();
        if let Pat::Ident(pat) = pat {
            pat.mutability = None;
        }
        Binding(quote_spanned! {Span::mixed_site()=>
            #(#cfgs)*
            #[allow(unused_variables, unused_mut)]
            let #inner = #value;
        })
    }

    /// What a pattern binds in a signature that stays as written. `mut` moves with it.
    pub(crate) fn of_pattern(attrs: &[Attribute], pat: &mut Pat) -> Vec<Binding> {
        struct Bound<'a> {
            cfgs: Vec<&'a Attribute>,
            bindings: Vec<Binding>,
        }
        impl VisitMut for Bound<'_> {
            fn visit_pat_ident_mut(&mut self, pat: &mut PatIdent) {
                // `ref mut` stays where the value is; the reference itself moves.
                let mutability = if pat.by_ref.is_some() { None } else { pat.mutability.take() };
                let (cfgs, ident, allow) = (&self.cfgs, &pat.ident, allow(&pat.ident));
                self.bindings.push(Binding(quote_spanned! {Span::mixed_site()=>
                    #(#cfgs)* #allow let #mutability #ident = #ident;
                }));
                visit_mut::visit_pat_ident_mut(self, pat);
            }
        }
        let mut bound = Bound { cfgs: cfgs(attrs), bindings: Vec::new() };
        bound.visit_pat_mut(pat);
        bound.bindings
    }
}

fn cfgs(attrs: &[Attribute]) -> Vec<&Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect()
}

/// Whether `pat` moves all of its value into names, so that nothing stays behind that drops later.
pub(crate) fn takes_all(pat: &Pat) -> bool {
    match pat {
        Pat::Ident(pat) => pat.by_ref.is_none() && pat.subpat.is_none(),
        Pat::Paren(pat) => takes_all(&pat.pat),
        Pat::Tuple(pat) => pat.elems.iter().all(takes_all),
        Pat::TupleStruct(pat) => pat.elems.iter().all(takes_all),
        // Several drop in the order of their declaration, which may be another, where nobody takes them.
        Pat::Struct(pat) => {
            pat.rest.is_none()
                && pat.fields.len() < 2
                && pat.fields.iter().all(|field| takes_all(&field.pat))
        }
        _ => false,
    }
}

/// The name that `pat` binds; a pattern that binds none, like `_`, is given one.
pub(crate) fn name(pat: &mut Pat, default: &str) -> Ident {
    if let Pat::Ident(pat) = pat {
        return pat.ident.clone();
    }
    let name = Ident::new(default, Span::mixed_site());
    *pat = parse_quote_spanned!(pat.span()=> #name);
    name
}

/// Traits and locals that the rewritten code uses, and only those.
pub(crate) fn prelude(
    rewriter: &mut Rewriter<'_>,
    frame: &Frame,
    output: &Output,
    args: &Args,
) -> TokenStream {
    let site = Span::mixed_site();
    let private = rewriter.private(site);
    let mut prelude = rewriter.rules.prelude();
    if frame.awaits {
        prelude.extend(
            quote_spanned!(site=> #[allow(unused_imports)] use #private::AwaitedKind as _;),
        );
    }
    if frame.carries {
        prelude.extend(quote_spanned!(site=> #[allow(unused_imports)] use #private::Carried as _;));
    }
    if frame.branches {
        prelude
            .extend(quote_spanned!(site=> #[allow(unused_imports)] use #private::NoFuture as _;));
    }
    if let Some(unwind) = &args.unwind {
        prelude.extend(unwind.demand(output, &args.private()));
    }
    if frame.uses_how {
        let (how, question) = (rewrite::how(), &rewriter.returns);
        prelude.extend(quote_spanned! {site=>
            #[allow(unused_imports)]
            use #private::{CannotBeSaid as _, CannotSayCancelled as _};
            let #how = #question.how();
        });
    }
    if frame.uses_ctx {
        prelude.extend(rewriter.local_ctx(frame, output.ty.span()).into_token_stream());
    }
    prelude
}
