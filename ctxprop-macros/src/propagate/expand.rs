//! Writes the function anew, in the form that its signature asks for.
//!
//! | the function | becomes |
//! | --- | --- |
//! | `async fn f(ctx: Ctx, ..) -> T` | the same signature; the body runs as a scope of `ctx` |
//! | `async fn f(..) -> T` | `fn f(..) -> NeedsCtx<impl Future<Output = T>>` |
//! | the same in a trait | with `+ Send`; where the context is named, `-> impl Future<Output = T> + Send` |
//! | the same with `boxed` | with `Pin<Box<dyn Future<Output = T> + Send + '_>>` in place of `impl Future` |
//! | `fn f(ctx: Ctx, ..) -> T` | itself, with the rules applied |
//!
//! # Invariants
//! 1. Arguments move into the body in their order, as an `async fn` moves them, so they drop as there.
//! 2. Every lifetime and type is captured as an `async fn` captures them, whatever the user's edition: the
//!    `impl` of the return type carries this crate's.
//! 3. The body's braces are the user's own, so the rules for temporaries are those of the user's edition.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::visit_mut::VisitMut;
use syn::{Block, Expr, FnArg, Pat, ReturnType, Token, Type, parse_quote};

use super::bodies::{self, Binding};
use super::context::Context;
use super::rewrite::{Kind, Rewriter};
use super::types::Output;
use super::{Args, Function, lifetimes, neighbours};
use crate::errors::Errors;
use crate::krate::Private;

/// Expands a function that has the attribute itself.
pub(crate) fn function(function: Function, args: &Args, errors: &mut Errors) -> TokenStream {
    let context = Context::find(&function.sig, args, errors);
    if let (Some(name), None) = (&args.ctx, &context) {
        errors.at(name, format_args!("no parameter is named `{name}`"));
    }
    if let Some(local) = &args.local
        && args.boxed.is_none()
        && function.body.is_some()
        && function.sig.receiver().is_none()
        && function.place.is_free
    {
        errors
            .at(local, "`local` is for traits and for `boxed`: elsewhere nothing asks for `Send`");
    }
    if function.sig.asyncness.is_none() && context.is_some() {
        for name in ["budget", "span", "unwind", "boxed", "local"] {
            if let Some(key) = args.key(name) {
                errors.at(key, format_args!("`{name}` needs an `async fn`"));
            }
        }
    }
    expand(function, context, args, errors)
}

/// Expands a function inside of what has the attribute.
pub(crate) fn function_inside(function: Function, args: &Args, errors: &mut Errors) -> TokenStream {
    let context = Context::find(&function.sig, args, errors);
    expand(function, context, args, errors)
}

/// Whether an attribute around it means this function too.
pub(crate) fn is_meant(function: &Function, args: &Args) -> bool {
    Context::is_named(&function.sig, args)
        || function.sig.asyncness.is_some() && !neighbours::is_entry(&function.attrs)
}

fn expand(
    function: Function,
    context: Option<Context>,
    args: &Args,
    errors: &mut Errors,
) -> TokenStream {
    if let Some(abi) = &function.sig.abi
        && abi.name.as_ref().is_none_or(|name| name.value() != "Rust")
    {
        errors.at(abi.extern_token, "a function for another language has no caller with a context");
        return function.into_token_stream();
    }
    if let Some(error) = neighbours::refused(&function, context.is_some()) {
        errors.push(error);
        return function.into_token_stream();
    }
    if let Some(tokens) = neighbours::after_instrument(&function, args) {
        return tokens;
    }
    let private = args.private();
    let writer = Writer {
        // errors that are about the function as a whole are shown at its name
        site: Span::mixed_site().located_at(function.sig.ident.span()),
        output: Output::of(&function.sig, &private),
        params: function.sig.inputs.iter().filter_map(pattern).cloned().collect(),
        name: context.as_ref().and_then(|context| context.name(&function.sig)),
        args,
        private,
    };
    match (&function.sig.asyncness, context) {
        (Some(_), Some(context)) => writer.given(function, &context),
        (Some(_), None) => writer.threaded(function),
        (None, _) => writer.plain(function),
    }
}

/// Methods of std's traits.
const OF_STD: &[&str] = &[
    "add",
    "as_mut",
    "as_ref",
    "bitand",
    "bitor",
    "bitxor",
    "borrow",
    "borrow_mut",
    "clone",
    "cmp",
    "default",
    "deref",
    "deref_mut",
    "div",
    "drop",
    "eq",
    "from_iter",
    "from_str",
    "hash",
    "index",
    "index_mut",
    "into_iter",
    "mul",
    "neg",
    "next",
    "not",
    "rem",
    "shl",
    "shr",
    "sub",
];

struct Writer<'a> {
    args: &'a Args,
    private: Private,
    output: Output,
    /// The patterns of the parameters, as written.
    params: Vec<Pat>,
    /// The name of its context, if it has one.
    name: Option<Ident>,
    site: Span,
}

fn pattern(input: &FnArg) -> Option<&Pat> {
    match input {
        FnArg::Typed(input) => Some(&input.pat),
        FnArg::Receiver(_) => None,
    }
}

impl Writer<'_> {
    /// The body runs as a scope of the context it is given.
    fn given(&self, mut function: Function, context: &Context) -> TokenStream {
        let as_future = self.args.boxed.is_some() || function.is_of_a_trait();
        if as_future {
            let future = self.future(&mut function, true);
            function.sig.asyncness = None;
            function.sig.output = returns(future);
            if self.args.boxed.is_some() {
                // An `async fn` is none; a box is not known as the future that it holds.
                function.attrs.push(parse_quote!(#[allow(clippy::must_use_candidate)]));
            }
        }
        self.allow_a_future(&mut function);
        let holds_self = function.holds_self();
        let Some(body) = function.body.take() else {
            return function.into_token_stream();
        };
        let braces = body.brace_token.span.join();
        let site = self.site;
        let private = self.private.at(site);
        let derived = Ident::new("derived", site);
        let is_derived = self.args.budget.is_some() || self.args.span.is_some();
        let (mut captures, mut bindings) = (Vec::new(), Vec::new());
        let mut given = TokenStream::new();
        for (index, input) in function.sig.inputs.iter_mut().enumerate() {
            let input = match input {
                FnArg::Typed(input) => input,
                FnArg::Receiver(_) if !holds_self => continue,
                FnArg::Receiver(receiver) => {
                    captures.push(Binding::receiver(receiver));
                    bindings.push(Binding::receiver(receiver));
                    continue;
                }
            };
            if index == context.index {
                let name = bodies::name(&mut input.pat, "ctx");
                captures.push(Binding::mention(&input.attrs, &name));
                given = name.into_token_stream();
                // With a budget or a span the name means the context that the body runs under.
                let value = match (is_derived, context.by_ref) {
                    (false, _) => given.clone(),
                    (true, true) => quote_spanned!(site=> &#derived),
                    (true, false) => derived.to_token_stream(),
                };
                bindings.push(Binding::of_context(&input.attrs, &mut input.pat, &value));
            } else if !as_future && bodies::takes_all(&input.pat) {
                // The signature stays as written.
                bindings.extend(Binding::of_pattern(&input.attrs, &mut input.pat));
            } else {
                bindings.extend(Binding::of_argument(index, &input.attrs, &mut input.pat));
                if let Pat::Ident(pat) = &*input.pat {
                    captures.push(Binding::mention(&input.attrs, &pat.ident));
                }
            }
        }
        let parent = if context.by_ref { given } else { quote_spanned!(site=> &#given) };
        let derive = self.derived(&parent).map(|ctx| quote_spanned!(site=> let #derived = #ctx;));
        let scope_of = if is_derived { quote_spanned!(site=> &#derived) } else { parent };
        let (ty, inner) = (self.output.inferred(), self.inner(&function, &bindings, body));
        let run = quote_spanned! {site=>
            #derive
            #private::scope::<#ty, _>(#private::Clone::clone(#scope_of), #inner).await
        };
        if !as_future {
            return function.with_block(run, braces);
        }
        let future = quote_spanned!(site=> async move { #(#captures)* #run });
        function.with_block(self.maybe_boxed(future), braces)
    }

    /// An `async fn` may give a future; of an async block, which its body becomes, clippy takes that for a mistake.
    fn allow_a_future(&self, function: &mut Function) {
        if self.output.may_be_awaited() && function.body.is_some() {
            function.attrs.push(parse_quote!(#[allow(clippy::async_yields_async)]));
        }
    }

    /// The function gives a `NeedsCtx`, which runs the body once it has a context.
    fn threaded(&self, mut function: Function) -> TokenStream {
        let site = self.site;
        let private = self.private.at(site);
        let is_send = function.is_of_a_trait();
        let passed_on = Ident::new("passed_on", Span::mixed_site());
        let call = function.take_passed_on(&passed_on);
        let future = self.future(&mut function, is_send);
        self.allow_a_future(&mut function);
        function.sig.asyncness = None;
        function.sig.output = returns(quote_spanned!(site=> #private::NeedsCtx<#future>));
        if OF_STD.iter().any(|name| function.sig.ident == name) {
            // Of an `async fn` clippy knows that it is not the method of that trait.
            function.attrs.push(parse_quote!(#[allow(clippy::should_implement_trait)]));
        }
        if function.attrs.iter().any(|attr| attr.path().is_ident("must_use")) {
            // As on an `async fn`.
            function.attrs.push(parse_quote!(#[allow(clippy::double_must_use)]));
        }
        let holds_self = function.holds_self();
        let Some(body) = function.body.take() else {
            return function.into_token_stream();
        };
        let braces = body.brace_token.span.join();
        let mut bindings = Vec::new();
        for (index, input) in function.sig.inputs.iter_mut().enumerate() {
            match input {
                FnArg::Receiver(_) if !holds_self => {}
                FnArg::Receiver(receiver) => bindings.push(Binding::receiver(receiver)),
                // They move into the call.
                FnArg::Typed(input)
                    if call.as_ref().is_some_and(|call| is_given(call, &input.pat)) => {}
                FnArg::Typed(input) => {
                    bindings.extend(Binding::of_argument(index, &input.attrs, &mut input.pat));
                }
            }
        }
        let call = call.map(|call| quote_spanned!(site=> let #passed_on = #call;));
        let mut inner = self.inner(&function, &bindings, body);
        let current = quote_spanned!(site=> &#private::Ctx::current());
        if let Some(ctx) = self.derived(&current) {
            inner = quote_spanned!(site=> async move { #private::scope(#ctx, #inner).await });
        }
        let (ty, inner) = (self.output.inferred(), self.maybe_boxed(inner));
        let call = match self.args.boxed {
            Some(_) => quote_spanned!(site=> #call #private::NeedsCtx::new(#inner)),
            None => quote_spanned!(site=> #call #private::needs_ctx::<#ty, _>(#inner)),
        };
        function.with_block(call, braces)
    }

    /// Nothing is rewritten; the rules apply.
    fn plain(&self, mut function: Function) -> TokenStream {
        if let Some(body) = &mut function.body {
            let mut rewriter = self.rewriter(Kind::Plain);
            rewriter.body(body);
            let (prelude, stmts) = (rewriter.rules.prelude(), &body.stmts);
            let block = body.brace_token.span.join();
            *body = syn::parse_quote_spanned!(block=> { #prelude #(#stmts)* });
        }
        function.into_token_stream()
    }

    fn rewriter(&self, kind: Kind) -> Rewriter<'_> {
        let mut rewriter = Rewriter::new(&self.private, &self.args.allowed, kind);
        self.params.iter().for_each(|param| rewriter.visit_pat_mut(&mut param.clone()));
        rewriter
    }

    /// The future in the signature, which comes to name what a box needs.
    fn future(&self, function: &mut Function, is_send: bool) -> TokenStream {
        let site = self.site;
        let (private, output) = (self.private.at(site), &self.output);
        let is_local = self.args.local.is_some();
        if !is_local && (is_send || self.args.boxed.is_some()) {
            function.assume_self_is_send(private);
        }
        if self.args.boxed.is_some() {
            let mut output = output.ty.clone();
            let lifetime = lifetimes::common(&mut function.sig, &mut output, &function.place);
            return match is_local {
                true => quote_spanned!(site=> #private::LocalBoxFuture<#lifetime, #output>),
                false => quote_spanned!(site=> #private::BoxFuture<#lifetime, #output>),
            };
        }
        lifetimes::in_impls(&mut function.sig);
        // It captures what this crate's edition captures.
        let impl_token = Token![impl](site);
        let send = (is_send && !is_local).then(|| quote_spanned!(site=> + #private::Send));
        quote_spanned!(site=> #impl_token #private::Future<Output = #output> #send)
    }

    fn maybe_boxed(&self, future: TokenStream) -> TokenStream {
        let Some(boxed) = &self.args.boxed else { return future };
        // Where it is not `Send`, the word that demands it is to blame.
        let site = Span::mixed_site().located_at(boxed.span());
        let (private, ty) = (self.private.at(site), self.output.inferred());
        match self.args.local {
            Some(_) => quote_spanned!(site=> #private::boxed_local::<#ty, _>(#future)),
            None => quote_spanned!(site=> #private::boxed::<#ty, _>(#future)),
        }
    }

    /// The context that the body runs under, where that is not its parent.
    fn derived(&self, parent: &TokenStream) -> Option<TokenStream> {
        let site = self.site;
        let private = self.private.at(site);
        let budgeted = self.args.budget.map(|budget| {
            let budget = budget.expr(private);
            quote_spanned!(site=> #budget.of(#parent))
        });
        match (budgeted, &self.args.span) {
            (budgeted, None) => budgeted,
            (None, Some(_)) => Some(quote_spanned!(site=> #private::Ctx::child_span(#parent))),
            (Some(ctx), Some(_)) => Some(quote_spanned!(site=> #private::Ctx::child_span(&#ctx))),
        }
    }

    /// The body as an async block that owns the arguments.
    fn inner(&self, function: &Function, bindings: &[Binding], mut body: Block) -> TokenStream {
        let site = self.site;
        let mut rewriter = self.rewriter(Kind::Function);
        rewriter.never = self.output.never;
        rewriter.output = Some(self.output.shape());
        rewriter.name.clone_from(&self.name);
        let frame = rewriter.body(&mut body);
        let returned = self.output.returned(&self.private);
        let prelude = bodies::prelude(&mut rewriter, &frame, &self.output.shape(), self.args);
        let span = self.args.span.as_ref();
        let open = span.map(|span| span.open(&function.sig.ident, &self.private));
        let stmts = &body.stmts;
        let mut block = Group::new(
            Delimiter::Brace,
            quote_spanned!(site=> #returned #open #prelude #(#stmts)*),
        );
        if !self.output.never {
            block.set_span(body.brace_token.span.join());
        }
        // The outer block is of this crate's edition: temporaries of the inner one drop before the arguments.
        let inner = quote_spanned!(site=> async move { #(#bindings)* #block });
        match span {
            Some(_) => {
                let private = self.private.at(site);
                quote_spanned!(site=> #private::in_span(#inner))
            }
            None => inner,
        }
    }
}

/// Whether a call is given what a pattern binds.
fn is_given(call: &Expr, pat: &Pat) -> bool {
    let (Expr::MethodCall(call), Pat::Ident(pat)) = (call, pat) else { return false };
    call.args.iter().any(|arg| matches!(arg, Expr::Path(path) if path.path.is_ident(&pat.ident)))
}

/// `-> ty`
fn returns(ty: TokenStream) -> ReturnType {
    ReturnType::Type(Token![->](Span::call_site()), Box::new(Type::Verbatim(ty)))
}
