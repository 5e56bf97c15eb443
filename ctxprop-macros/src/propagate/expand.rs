//! Writes the function anew, in the form that its signature asks for.
//!
//! | the function | becomes |
//! | --- | --- |
//! | `async fn f(ctx: Ctx, ..) -> T` | `fn f(ctx: Ctx, ..) -> impl Future<Output = T>`: a scope of `ctx`, in which the body runs |
//! | the same in an `impl` of a trait, or under an attribute that may want to see an `async fn` | the same signature, which awaits that scope |
//! | `async fn f(..) -> T` | `fn f(..) -> NeedsCtx<impl Future<Output = T>>` |
//! | the same in a trait | with `+ Send`; where the context is named, `-> impl Future<Output = T> + Send` |
//! | the same with `boxed` | with `Pin<Box<dyn Future<Output = T> + Send + '_>>` in place of `impl Future` |
//! | `async fn f(..) -> T` in an `impl` that has `#[async_trait]` too | itself; the body runs under what is current |
//! | `fn f(ctx: Ctx, ..) -> T` | itself, with the rules applied |
//!
//! # Invariants
//! 1. Arguments move into the body in their order, as an `async fn` moves them, so they drop as there.
//! 2. Every lifetime and type is captured as an `async fn` captures them, whatever the user's edition: the
//!    `impl` of the return type carries this crate's.
//! 3. The body's braces are the user's own, so the rules for temporaries are those of the user's edition.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::visit_mut::VisitMut;
use syn::{Block, Expr, FnArg, Pat, ReturnType, Token, Type, parse_quote};

use super::args::Boxed;
use super::args::ctx::Context;
use super::bodies::{self, Binding};
use super::model::{Form, Model};
use super::rewrite::{BodyKind, Rewriter, called};
use super::validate::{self, Asked};
use super::{Args, Function, lifetimes, neighbours};
use crate::errors::Errors;

/// Expands a function that has the attribute itself.
pub(crate) fn function(function: Function, args: &Args, errors: &mut Errors) -> TokenStream {
    write(function, Asked::Itself, args, errors)
}

/// Expands a function inside of what has the attribute.
pub(crate) fn function_inside(function: Function, args: &Args, errors: &mut Errors) -> TokenStream {
    write(function, Asked::Around, args, errors)
}

/// What cannot be expanded stays as it is.
fn write(function: Function, asked: Asked, args: &Args, errors: &mut Errors) -> TokenStream {
    match validate::function(&function, asked, args, errors) {
        None => function.into_token_stream(),
        Some(Form::AfterInstrument(handed)) => handed,
        Some(form) => {
            let writer = Writer {
                // errors that are about the function as a whole are shown at its name
                site: Span::mixed_site().located_at(function.sig.ident.span()),
                model: Model::new(&function, &form, args),
            };
            match &form {
                Form::Given(context) => writer.given(function, context),
                Form::NeedsCtx => writer.needs_ctx(function),
                Form::InPlace => writer.in_place(function),
                Form::Plain | Form::AfterInstrument(_) => writer.plain(function),
            }
        }
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
    model: Model<'a>,
    site: Span,
}

impl Writer<'_> {
    /// The body runs as a scope of the context it is given.
    fn given(&self, mut function: Function, context: &Context) -> TokenStream {
        let of_a_trait = self.model.args.boxed.is_some() || function.is_of_a_trait();
        // One coroutine in place of two.
        let is_read = function.place.is_read_below || !neighbours::are_inert(&function.attrs);
        let is_the_scope = !of_a_trait && !function.place.implements && !is_read;
        if of_a_trait || is_the_scope {
            let future = self.future(&mut function, of_a_trait);
            function.sig.asyncness = None;
            function.sig.output = returns(future);
            if self.model.args.boxed.is_some() {
                // An `async fn` is none; a box is not known as the future that it holds.
                function.attrs.push(parse_quote!(#[allow(clippy::must_use_candidate)]));
            }
        }
        if is_the_scope {
            allow_as_of_an_async_fn(&mut function);
        }
        self.allow_a_future(&mut function);
        let holds_self = function.holds_self();
        let Some(body) = function.body.take() else {
            return function.into_token_stream();
        };
        let braces = body.brace_token.span.join();
        let site = self.site;
        let private = self.model.private.at(site);
        let is_derived = self.model.args.budget.is_some() || self.model.args.span.is_some();
        let derived = Ident::new("derived", site);
        let (mut captures, mut bindings) = (Vec::new(), Vec::new());
        if is_derived {
            bindings.push(Binding::of_current(&derived, &self.model.private));
        }
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
            } else if !of_a_trait && bodies::takes_all(&input.pat) {
                // The parameters stay as written.
                bindings.extend(Binding::of_pattern(&input.attrs, &mut input.pat));
            } else {
                bindings.extend(Binding::of_argument(index, &input.attrs, &mut input.pat));
                if let Pat::Ident(pat) = &*input.pat {
                    captures.push(Binding::mention(&input.attrs, &pat.ident));
                }
            }
        }
        let parent = match (context.by_ref, is_derived) {
            (true, _) => quote_spanned!(site=> #private::Clone::clone(#given)),
            (false, false) => quote_spanned!(site=> #private::Clone::clone(&#given)),
            (false, true) => given,
        };
        let (ty, inner) = (self.model.output.inferred(), self.inner(&function, &bindings, body));
        let scope = match self.derived(&quote_spanned!(site=> #private::Some(#parent)), &ty, &inner)
        {
            Some(scope) => scope,
            None => {
                let call = called(function.sig.ident.span());
                let at = self.model.private.at(call);
                quote_spanned!(call=> #at::scope::<#ty, _>(#parent, #inner))
            }
        };
        if is_the_scope {
            return function.with_block(scope, braces);
        }
        if !of_a_trait {
            return function.with_block(quote_spanned!(site=> #scope.await), braces);
        }
        let future = quote_spanned!(site=> async move { #(#captures)* #scope.await });
        function.with_block(self.maybe_boxed(future), braces)
    }

    /// An `async fn` may give a future; of an async block, which its body becomes, clippy takes that for a mistake.
    fn allow_a_future(&self, function: &mut Function) {
        if self.model.output.may_be_awaited() && function.body.is_some() {
            function.attrs.push(parse_quote!(#[allow(clippy::async_yields_async)]));
        }
    }

    /// The function gives a `NeedsCtx`, which runs the body once it has a context.
    fn needs_ctx(&self, mut function: Function) -> TokenStream {
        let site = self.site;
        let private = self.model.private.at(site);
        let is_send = function.is_of_a_trait();
        let passed_on = Ident::new("passed_on", Span::mixed_site());
        let call = function.take_passed_on(&passed_on);
        let future = self.future(&mut function, is_send);
        self.allow_a_future(&mut function);
        function.sig.asyncness = None;
        function.sig.output = returns(quote_spanned!(site=> #private::NeedsCtx<#future>));
        allow_as_of_an_async_fn(&mut function);
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
        let ty = self.model.output.inferred();
        if let Some(scope) = self.derived(&quote_spanned!(site=> #private::None), &ty, &inner) {
            inner = scope;
        }
        let inner = self.maybe_boxed(inner);
        let call = match self.model.args.boxed {
            Some(_) => quote_spanned!(site=> #call #private::NeedsCtx::new(#inner)),
            None => quote_spanned!(site=> #call #private::needs_ctx::<#ty, _>(#inner)),
        };
        function.with_block(call, braces)
    }

    /// The function stays an `async fn`: its trait, which knows nothing of contexts, is given what it asks for. The body runs
    /// under the context that is current where it is polled, as that of a request is.
    fn in_place(&self, mut function: Function) -> TokenStream {
        let Some(body) = function.body.take() else {
            return function.into_token_stream();
        };
        let site = self.site;
        let private = self.model.private.at(site);
        let braces = body.brace_token.span.join();
        if self.model.args.budget.is_none() && self.model.args.span.is_none() {
            let (prelude, stmts) = self.rewritten(&function, body, false);
            return function.with_block(quote_spanned!(site=> #prelude #stmts), braces);
        }
        let ty = self.model.output.inferred();
        let inner = self.inner(&function, &[], body);
        let scope = self.derived(&quote_spanned!(site=> #private::None), &ty, &inner);
        function.with_block(quote_spanned!(site=> #scope.await), braces)
    }

    /// Nothing is rewritten; the rules apply.
    fn plain(&self, mut function: Function) -> TokenStream {
        if let Some(body) = &mut function.body {
            let mut rewriter = self.rewriter(BodyKind::Plain);
            rewriter.body(body);
            let (prelude, stmts) = (rewriter.rules.prelude(), &body.stmts);
            let block = body.brace_token.span.join();
            *body = syn::parse_quote_spanned!(block=> { #prelude #(#stmts)* });
        }
        function.into_token_stream()
    }

    fn rewriter(&self, kind: BodyKind) -> Rewriter<'_> {
        let mut rewriter = Rewriter::new(&self.model.private, &self.model.args.allowed, kind);
        self.model.params.iter().for_each(|param| rewriter.visit_pat_mut(&mut param.clone()));
        rewriter
    }

    /// The future in the signature, which comes to name what a box needs.
    fn future(&self, function: &mut Function, is_send: bool) -> TokenStream {
        let site = self.site;
        let (private, output) = (self.model.private.at(site), &self.model.output);
        let is_local = self.model.args.local.is_some();
        if !is_local && (is_send || self.model.args.boxed.is_some()) {
            function.assume_self_is_send(private);
        }
        if self.model.args.boxed.is_some() {
            let mut output = output.ty.clone();
            let lifetime = lifetimes::common(&mut function.sig, &mut output, &function.place);
            return Boxed::ty(is_local, &lifetime, &output, private, site);
        }
        lifetimes::in_impls(&mut function.sig);
        // It captures what this crate's edition captures.
        let impl_token = Token![impl](site);
        let send = (is_send && !is_local).then(|| quote_spanned!(site=> + #private::Send));
        quote_spanned!(site=> #impl_token #private::Future<Output = #output> #send)
    }

    fn maybe_boxed(&self, future: TokenStream) -> TokenStream {
        let Some(boxed) = &self.model.args.boxed else { return future };
        let Model { args, output, private, .. } = &self.model;
        boxed.around(&future, args.local.is_some(), &output.inferred(), private)
    }

    /// A scope of the context that the body runs under, where that is not its parent.
    fn derived(&self, parent: &TokenStream, ty: &Type, body: &TokenStream) -> Option<TokenStream> {
        let site = self.site;
        let private = self.model.private.at(site);
        let budgeted = self.model.args.budget.map(|budget| {
            let budget = budget.expr(private);
            quote_spanned!(site=> #budget.of(parent))
        });
        let ctx = match (budgeted, &self.model.args.span) {
            (None, None) => return None,
            (Some(ctx), None) => ctx,
            (None, Some(_)) => quote_spanned!(site=> #private::Ctx::child_span(parent)),
            (Some(ctx), Some(_)) => quote_spanned!(site=> #private::Ctx::child_span(&#ctx)),
        };
        let derive = quote_spanned!(site=> |parent: &#private::Ctx| #ctx);
        let call = called(site);
        let private = self.model.private.at(call);
        Some(match self.model.args.span {
            Some(_) => {
                quote_spanned!(call=> #private::in_span::<#ty, _, _>(#parent, #derive, #body))
            }
            None => quote_spanned!(call=> #private::derived::<#ty, _, _>(#parent, #derive, #body)),
        })
    }

    /// The body as an async block that owns the arguments.
    fn inner(&self, function: &Function, bindings: &[Binding], body: Block) -> TokenStream {
        let site = self.site;
        let braces = body.brace_token.span.join();
        let (prelude, stmts) = self.rewritten(function, body, true);
        let mut block = Group::new(Delimiter::Brace, quote_spanned!(site=> #prelude #stmts));
        if !self.model.output.never {
            block.set_span(braces);
        }
        // The outer block is of this crate's edition: temporaries of the inner one drop before the arguments.
        quote_spanned!(site=> async move { #(#bindings)* #block })
    }

    /// The statements of the body, rewritten, and what stands before them. `returns` tells the compiler there what the body
    /// gives, where its signature does not.
    fn rewritten(
        &self,
        function: &Function,
        mut body: Block,
        returns: bool,
    ) -> (TokenStream, TokenStream) {
        let site = self.site;
        let mut rewriter = self.rewriter(BodyKind::Function);
        rewriter.never = self.model.output.never;
        rewriter.returns = Some(self.model.output.question(&self.model.private));
        rewriter.name.clone_from(&self.model.name);
        let frame = rewriter.body(&mut body);
        let returned = returns.then(|| self.model.output.returned(&self.model.private));
        let prelude = bodies::prelude(&mut rewriter, &frame, &self.model.output, self.model.args);
        let span = self.model.args.span.as_ref();
        let open = span.map(|span| span.open(&function.sig.ident, &self.model.private));
        let stmts = &body.stmts;
        (quote_spanned!(site=> #returned #open #prelude), quote!(#(#stmts)*))
    }
}

/// What clippy does not say of an `async fn`.
fn allow_as_of_an_async_fn(function: &mut Function) {
    if OF_STD.iter().any(|name| function.sig.ident == name) {
        // It knows that it is not the method of that trait.
        function.attrs.push(parse_quote!(#[allow(clippy::should_implement_trait)]));
    }
    if function.attrs.iter().any(|attr| attr.path().is_ident("must_use")) {
        function.attrs.push(parse_quote!(#[allow(clippy::double_must_use)]));
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
