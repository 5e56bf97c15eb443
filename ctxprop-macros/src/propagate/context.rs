//! The parameter that is the context, if the function names one.

use proc_macro2::Ident;
use syn::{FnArg, Pat, Signature, Type};

use super::Args;
use crate::errors::Errors;

pub(crate) struct Context {
    pub(crate) index: usize,
    pub(crate) by_ref: bool,
}

impl Context {
    /// Finds it, and reports a second one. `args` may name it.
    pub(crate) fn find(sig: &Signature, args: &Args, errors: &mut Errors) -> Option<Context> {
        let mut all = candidates(sig, args);
        let first = all.next()?;
        if let FnArg::Typed(input) = &sig.inputs[first.index]
            && let Type::Reference(reference) = ungrouped(&input.ty)
            && let Some(mutability) = &reference.mutability
        {
            errors.at(mutability, "a context does not change: take `Ctx` or `&Ctx`");
        }
        if let Some(second) = all.next()
            && let FnArg::Typed(second) = &sig.inputs[second.index]
        {
            errors.at(
                &second.ty,
                "a second context: say which one the body runs under with `ctx = name`",
            );
        }
        Some(first)
    }

    /// Its name, where it is bound to one.
    pub(crate) fn name(&self, sig: &Signature) -> Option<Ident> {
        match sig.inputs.get(self.index)? {
            FnArg::Typed(input) => match &*input.pat {
                Pat::Ident(pat) => Some(pat.ident.clone()),
                _ => None,
            },
            FnArg::Receiver(_) => None,
        }
    }

    pub(crate) fn is_named(sig: &Signature, args: &Args) -> bool {
        candidates(sig, args).next().is_some()
    }
}

fn candidates(sig: &Signature, args: &Args) -> impl Iterator<Item = Context> {
    sig.inputs.iter().enumerate().filter_map(|(index, input)| {
        let FnArg::Typed(input) = input else { return None };
        let (by_ref, ty) = match ungrouped(&input.ty) {
            Type::Reference(reference) => (true, ungrouped(&reference.elem)),
            ty => (false, ty),
        };
        let is_context = match &args.ctx {
            Some(name) => matches!(&*input.pat, Pat::Ident(pat) if pat.ident == *name),
            None => {
                matches!(ty, Type::Path(ty) if ty.path.segments.last().is_some_and(|last| last.ident == "Ctx"))
            }
        };
        is_context.then_some(Context { index, by_ref })
    })
}

/// Without the invisible brackets around what came through somebody's `macro_rules`.
fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(ty) => ungrouped(&ty.elem),
        Type::Paren(ty) => ungrouped(&ty.elem),
        ty => ty,
    }
}
