//! What is wrong with a function, `impl` block, trait or module under `#[propagate]`, given what it is and what stands around
//! it. All such checks are here; what cannot be read at all is told where it is parsed (`args.rs`, `parse.rs`).
//!
//! Each mistake is reported once, at its own token. What of a function is still clear becomes its [`Form`].

use syn::{Attribute, Signature, Type};

use super::args::ctx::{Context, ungrouped};
use super::model::Form;
use super::{Args, Function, neighbours};
use crate::errors::Errors;

/// Where the attribute is that means a function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// On it, so that what makes no sense for it is a mistake.
    Itself,
    /// On what is around it, for all that can be meant.
    Around,
}

/// The arguments of the outermost attribute.
pub(crate) fn outermost(args: &Args, errors: &mut Errors) {
    if let Some(skip) = &args.skip {
        errors.at(skip, "`skip` is for an item inside of one that has `#[propagate]`");
    }
}

/// Whether an attribute around a function means it too.
pub(crate) fn is_meant(function: &Function, args: &Args) -> bool {
    Context::is_named(&function.sig, args)
        || function.sig.asyncness.is_some() && !neighbours::is_entry(&function.attrs)
}

/// An `impl` block or trait: what cannot be on it, or have been at work on it. If there is anything, it stays as it is.
pub(crate) fn container<'a>(
    attrs: &[Attribute],
    is_boxed_below: bool,
    methods: impl Iterator<Item = &'a Signature>,
    errors: &mut Errors,
) -> bool {
    let error = neighbours::refused_container(attrs, is_boxed_below, methods);
    let is_right = error.is_none();
    error.into_iter().for_each(|error| errors.push(error));
    is_right
}

/// A method of a trait that has the attribute: a promise of the trait that its `impl` blocks, which have it too, would not
/// keep.
pub(crate) fn method_of_a_trait(function: &Function, args: &Args, errors: &mut Errors) -> bool {
    let broken =
        (!is_meant(function, args)).then(|| neighbours::gives_a_future(&function.sig.output));
    let Some(message) = broken.flatten() else { return true };
    let message =
        format!("{message}\n  if it knows nothing of contexts: `#[propagate(skip)]` on it");
    errors.at(function.sig.fn_token, &message);
    false
}

/// A function, with its arguments. None where it stays as it is.
pub(crate) fn function(
    function: &Function,
    asked: Asked,
    args: &Args,
    errors: &mut Errors,
) -> Option<Form> {
    let context = context(&function.sig, args, errors);
    if asked == Asked::Itself {
        arguments(function, context.as_ref(), args, errors);
    }
    if let Some(abi) = &function.sig.abi
        && abi.name.as_ref().is_none_or(|name| name.value() != "Rust")
    {
        errors.at(
            abi.extern_token,
            "a function for another language has no caller with a context\n  leave `#[propagate]` out, and give what it \
             calls one with `.with(&Ctx::background())`",
        );
        return None;
    }
    if let Some(error) = neighbours::refused(function, context.is_some()) {
        errors.push(error);
        return None;
    }
    let is_boxed_below = function.place.is_boxed_below;
    if !is_boxed_below && let Some(handed) = neighbours::after_instrument(function, args) {
        return Some(Form::AfterInstrument(handed));
    }
    Some(match (&function.sig.asyncness, context) {
        (None, _) => Form::Plain,
        (Some(_), Some(context)) => Form::Given(context),
        (Some(_), None) if is_boxed_below => Form::InPlace,
        (Some(_), None) => Form::NeedsCtx,
    })
}

/// The parameter that is the context: one, and not by `&mut`.
fn context(sig: &Signature, args: &Args, errors: &mut Errors) -> Option<Context> {
    let mut all = Context::all(sig, args);
    let first = all.next()?;
    if let Some(Type::Reference(reference)) = first.ty(sig).map(ungrouped)
        && let Some(mutability) = &reference.mutability
    {
        errors.at(mutability, "a context does not change: take `Ctx` or `&Ctx`");
    }
    if let Some(second) = all.next().and_then(|second| second.ty(sig)) {
        errors.at(second, "a second context: say which one the body runs under with `ctx = name`");
    }
    Some(first)
}

/// Arguments that mean nothing for the function.
fn arguments(function: &Function, context: Option<&Context>, args: &Args, errors: &mut Errors) {
    if let (Some(name), None) = (&args.ctx, context) {
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
        for (name, instead) in [
            ("budget", "here derive a context, `ctx.with_timeout(..)`"),
            ("span", "here enter one, `tracing::info_span!(..).in_scope(|| ..)`"),
            ("unwind", "here say it, `ctx.check()?`"),
            ("boxed", "here is no future to box"),
            ("local", "here is no future that could be `Send`"),
        ] {
            if let Some(key) = args.key(name) {
                errors.at(key, format_args!("`{name}` needs an `async fn`: {instead}"));
            }
        }
    }
}
