//! `ctx = name`, and the parameter that is the context, if the function names one.

use proc_macro2::Ident;
use syn::{FnArg, Pat, Signature, Type};

use super::Args;

pub(super) const CTX: &str = "expected `ctx = name`, the parameter that is the context";

pub(crate) struct Context {
    pub(crate) index: usize,
    pub(crate) by_ref: bool,
}

impl Context {
    /// All that there are: one, where the function is right. `args` may name it.
    pub(crate) fn all(sig: &Signature, args: &Args) -> impl Iterator<Item = Context> {
        candidates(sig, args)
    }

    /// Its type.
    pub(crate) fn ty<'a>(&self, sig: &'a Signature) -> Option<&'a Type> {
        match sig.inputs.get(self.index)? {
            FnArg::Typed(input) => Some(&input.ty),
            FnArg::Receiver(_) => None,
        }
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
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(ty) => ungrouped(&ty.elem),
        Type::Paren(ty) => ungrouped(&ty.elem),
        ty => ty,
    }
}
