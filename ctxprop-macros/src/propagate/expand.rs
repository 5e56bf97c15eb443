//! Writes the function anew, in one of its forms.
//!
//! | the function | becomes |
//! | --- | --- |
//! | `async fn f(ctx: Ctx, ..) -> T` | the same signature; the body runs as a scope of `ctx` |
//! | `async fn f(..) -> T` | `fn f(..) -> NeedsCtx<impl Future<Output = T>>` |
//! | `fn f(ctx: Ctx, ..) -> T` | itself, with the rules applied |
//!
//! # Invariants
//! 1. Arguments move into the body in their order, as an `async fn` moves them, so they drop as there.
//! 2. Every lifetime and type is captured as an `async fn` captures them, whatever the user's edition: the
//!    `impl` of the return type carries this crate's.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::token::Brace;
use syn::visit_mut::VisitMut;
use syn::{
    Block, FnArg, Pat, ReturnType, Signature, Token, Type, parse_quote, parse_quote_spanned,
};

use super::args::Budget;
use super::bodies::{self, Binding};
use super::rewrite::{Kind, Rewriter};
use super::{Args, Function};
use crate::errors::Errors;

pub(crate) fn function(function: Function, args: &Args, errors: &mut Errors) -> TokenStream {
    let context = Context::find(&function.sig, args, errors);
    match (&function.sig.asyncness, context) {
        (Some(_), Some(context)) => given(function, &context, args),
        (Some(_), None) => threaded(function, args),
        (None, Some(_)) => {
            for (given, name) in
                [(args.budget.is_some(), "budget"), (args.unwind.is_some(), "unwind")]
            {
                if given {
                    errors.at(function.sig.fn_token, format_args!("`{name}` needs an `async fn`"));
                }
            }
            plain(function, args)
        }
        (None, None) => {
            errors.at(
                function.sig.fn_token,
                "`#[propagate]` needs an `async fn`, or a parameter of type `Ctx` or `&Ctx`: this function has no \
                 context to propagate",
            );
            plain(function, args)
        }
    }
}

/// The parameter that is the context.
struct Context {
    index: usize,
    by_ref: bool,
}

impl Context {
    fn find(sig: &Signature, args: &Args, errors: &mut Errors) -> Option<Context> {
        let mut found: Option<Context> = None;
        for (index, input) in sig.inputs.iter().enumerate() {
            let FnArg::Typed(input) = input else { continue };
            let (by_ref, ty) = match &*input.ty {
                Type::Reference(reference) => (reference.mutability.is_none(), &*reference.elem),
                ty => (false, ty),
            };
            let is_context = match &args.ctx {
                Some(name) => matches!(&*input.pat, Pat::Ident(pat) if pat.ident == *name),
                None => {
                    matches!(ty, Type::Path(ty) if ty.path.segments.last().is_some_and(|last| last.ident == "Ctx"))
                }
            };
            if !is_context {
                continue;
            }
            if found.is_some() {
                errors.at(
                    &input.ty,
                    "a second context: say which one the body runs under with `ctx = name`",
                );
                break;
            }
            found = Some(Context { index, by_ref });
        }
        if let (Some(name), None) = (&args.ctx, &found) {
            errors.at(name, format_args!("no parameter is named `{name}`"));
        }
        found
    }
}

/// The signature stays as written; the body runs as a scope of the context it is given.
fn given(function: Function, context: &Context, args: &Args) -> TokenStream {
    let Function { attrs, vis, mut sig, body } = function;
    let Some(mut body) = body else {
        return quote!(#(#attrs)* #vis #sig;);
    };
    let site = Span::mixed_site();
    let private = args.private().at(site);
    let budgeted = Ident::new("budgeted", site);
    let mut bindings = Vec::new();
    let mut given = TokenStream::new();
    for (index, input) in sig.inputs.iter_mut().enumerate() {
        let FnArg::Typed(input) = input else { continue };
        if index == context.index {
            let name = bodies::name(&mut input.pat, "ctx");
            given = name.to_token_stream();
            // With a budget the name means the context that the body runs under.
            let value = match (&args.budget, context.by_ref) {
                (None, _) => given.clone(),
                (Some(_), true) => quote_spanned!(site=> &#budgeted),
                (Some(_), false) => budgeted.to_token_stream(),
            };
            bindings.push(Binding::of_context(&input.attrs, &mut input.pat, &value));
        } else {
            bindings.extend(Binding::of_pattern(&input.attrs, &mut input.pat));
        }
    }
    let scope_of = match (context.by_ref, &args.budget) {
        (_, Some(_)) => quote_spanned!(site=> &#budgeted),
        (true, None) => given.clone(),
        (false, None) => quote_spanned!(site=> &#given),
    };
    let budget = args.budget.map(|budget| {
        let budget = self::budget(budget, &private);
        let parent = if context.by_ref { given.clone() } else { quote_spanned!(site=> &#given) };
        quote_spanned!(site=> let #budgeted = #budget.of(#parent);)
    });
    let (output, inner) = (output(&sig), self::inner(&sig, args, &bindings, &mut body));
    let ty = replace_impls(&output, &parse_quote!(_));
    quote_spanned! {site=>
        #(#attrs)* #vis #sig {
            #budget
            #private::scope::<#ty, _>(#private::Clone::clone(#scope_of), #inner).await
        }
    }
}

/// The function gives a `NeedsCtx`, which runs the body once it has a context.
fn threaded(function: Function, args: &Args) -> TokenStream {
    let Function { attrs, vis, mut sig, body } = function;
    let site = Span::mixed_site();
    let private = args.private().at(site);
    let output = output(&sig);
    let (impl_token, future) = (Token![impl](site), quote_spanned!(site=> #private::Future));
    sig.asyncness = None;
    let Some(mut body) = body else {
        sig.output = parse_quote!(-> #private::NeedsCtx<#impl_token #future<Output = #output> + #private::Send>);
        return quote!(#(#attrs)* #vis #sig;);
    };
    let mut bindings = Vec::new();
    for (index, input) in sig.inputs.iter_mut().enumerate() {
        match input {
            FnArg::Receiver(_) => bindings.push(Binding::receiver()),
            FnArg::Typed(input) => {
                bindings.extend(Binding::of_argument(index, &input.attrs, &mut input.pat));
            }
        }
    }
    let mut inner = self::inner(&sig, args, &bindings, &mut body);
    if let Some(budget) = args.budget {
        let budget = self::budget(budget, &private);
        inner = quote_spanned! {site=>
            async move { #private::scope(#budget.of(&#private::Ctx::current()), #inner).await }
        };
    }
    let ty = replace_impls(&output, &parse_quote!(_));
    sig.output = parse_quote!(-> #private::NeedsCtx<#impl_token #future<Output = #output>>);
    quote_spanned! {site=>
        #(#attrs)* #vis #sig {
            #private::needs_ctx::<#ty, _>(#inner)
        }
    }
}

/// Nothing is rewritten; the rules apply.
fn plain(function: Function, args: &Args) -> TokenStream {
    let Function { attrs, vis, sig, body } = function;
    let Some(mut body) = body else {
        return quote!(#(#attrs)* #vis #sig;);
    };
    let private = args.private();
    let mut rewriter = Rewriter::new(&private, &args.allowed, Kind::Plain);
    rewriter.body(&mut body);
    let (prelude, stmts) = (rewriter.rules.prelude(), &body.stmts);
    quote_spanned!(body.brace_token.span.join()=> #(#attrs)* #vis #sig { #prelude #(#stmts)* })
}

/// The body as an async block that owns the arguments.
fn inner(sig: &Signature, args: &Args, bindings: &[Binding], body: &mut Block) -> TokenStream {
    let output = output(sig);
    let private = args.private();
    let mut rewriter = Rewriter::new(&private, &args.allowed, Kind::Function);
    let frame = rewriter.body(body);
    // Braces of the macro's own, so that rustc does not call the user's unneeded where one expression is
    // all there is.
    body.brace_token = Brace(Span::mixed_site().located_at(body.brace_token.span.join()));
    let prelude =
        bodies::prelude(&mut rewriter, &frame, &replace_impls(&output, &parse_quote!(())), args);
    let ty = replace_impls(&output, &parse_quote!(_));
    let returned = bodies::returned(&private, &output, &ty);
    quote_spanned! {Span::mixed_site()=>
        async move {
            #returned
            #(#bindings)*
            #prelude
            #body
        }
    }
}

/// The type that the function's `return` gives.
fn output(sig: &Signature) -> Type {
    match &sig.output {
        ReturnType::Default => parse_quote_spanned!(sig.ident.span()=> ()),
        ReturnType::Type(_, ty) => (**ty).clone(),
    }
}

/// `ty` with each `impl Trait` in it, which no expression can name, replaced.
fn replace_impls(ty: &Type, with: &Type) -> Type {
    struct Replace<'a>(&'a Type);
    impl VisitMut for Replace<'_> {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if matches!(ty, Type::ImplTrait(_)) {
                *ty = self.0.clone();
            } else {
                syn::visit_mut::visit_type_mut(self, ty);
            }
        }
    }
    let mut ty = ty.clone();
    Replace(with).visit_type_mut(&mut ty);
    ty
}

fn budget(budget: Budget, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    match budget {
        Budget::Share(share) => quote_spanned!(site=> #private::Budget::Share(#share)),
        Budget::Time(time) => {
            let (secs, nanos) = (time.as_secs(), time.subsec_nanos());
            quote_spanned!(site=> #private::Budget::time(#secs, #nanos))
        }
    }
}
