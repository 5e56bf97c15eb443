//! Other attribute macros on the same item. What runs above `#[propagate]` has changed the item already; what
//! stands below it will see what this macro made of the item.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Attribute, Error, Expr, ExprAsync, GenericArgument, GenericParam, Local, Pat, PathArguments,
    ReturnType, Signature, Stmt, Type, TypeParamBound,
};

use super::{Args, Function};

/// Attributes that make a function an entry point: nobody is there to give it a context.
const ENTRIES: &[&str] = &["main", "test", "rstest", "test_case", "wasm_bindgen_test", "bench"];

/// Lifetimes that tell which macro has been at work, and is to go.
const BOXING: &[&str] = &["async_trait", "async_recursion"];

pub(crate) fn is_entry(attrs: &[Attribute]) -> bool {
    entry(attrs).is_some()
}

fn entry(attrs: &[Attribute]) -> Option<&Attribute> {
    attrs.iter().find(|attr| name_is_one_of(attr, ENTRIES))
}

/// Attributes that mean the same on a function that gives a future as on an `async fn`.
const INERT: &[&str] = &[
    "doc",
    "cfg",
    "allow",
    "expect",
    "warn",
    "deny",
    "forbid",
    "must_use",
    "inline",
    "cold",
    "deprecated",
];

/// Whether no attribute below could want to see an `async fn`.
pub(crate) fn are_inert(attrs: &[Attribute]) -> bool {
    attrs.iter().all(|attr| name_is_one_of(attr, INERT))
}

fn name_is_one_of(attr: &Attribute, names: &[&str]) -> bool {
    attr.path().segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

/// Whether `#[async_trait]` is there, under whatever path.
pub(crate) fn is_boxed(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| name_is_one_of(attr, BOXING))
}

/// What cannot be on, or have been at work on, a container. The `impl` of a trait that is somebody else's may have
/// `#[async_trait]`, as that of a gRPC service has.
pub(crate) fn refused_container<'a>(
    attrs: &[Attribute],
    may_be_boxed: bool,
    mut methods: impl Iterator<Item = &'a Signature>,
) -> Option<Error> {
    let boxing = attrs.iter().find(|attr| name_is_one_of(attr, BOXING));
    if let Some(attr) = boxing.filter(|_| !may_be_boxed) {
        let message = "leave `#[async_trait]` out: `#[propagate(boxed)]` does its work, on the trait and on each `impl`";
        return Some(Error::new_spanned(attr.path(), message));
    }
    methods.find_map(boxed_by_another)
}

/// The reason why `function` cannot be what it is, with the attributes that it has.
pub(crate) fn refused(function: &Function, names_a_context: bool) -> Option<Error> {
    let Function { attrs, sig, .. } = function;
    if let Some(error) = boxed_by_another(sig) {
        return Some(error);
    }
    if let Some(attr) = attrs.iter().find(|attr| name_is_one_of(attr, BOXING)) {
        let message = "leave this attribute out: `#[propagate(boxed)]` does its work";
        return Some(Error::new_spanned(attr.path(), message));
    }
    if names_a_context {
        return None;
    }
    if let Some(attr) = entry(attrs) {
        let message = "an entry point makes its context itself: leave `#[propagate]` out, and give what is called here \
                       one with `.with(&Ctx::background())`\n  a test that is given its context has `#[propagate]` \
                       above all other attributes";
        // what another macro wrote there is at no place of its own
        return Some(match attr.path().leading_colon {
            Some(_) => Error::new_spanned(&sig.ident, message),
            None => Error::new_spanned(attr.path(), message),
        });
    }
    if let Some(attr) = attrs.iter().find(|attr| name_is_one_of(attr, &["debug_handler"])) {
        let message = "`debug_handler` checks a handler that names its context: add a parameter `ctx: Ctx`\n  without \
                       one this function is a handler through `ctxprop_axum::handler(..)`, and nothing for this \
                       attribute";
        return Some(Error::new_spanned(attr.path(), message));
    }
    if sig.asyncness.is_some() {
        return None;
    }
    let message = if sig.ident == "main" {
        "`main` makes its context itself: leave `#[propagate]` out, and give what is called here one with \
         `.with(&Ctx::background())`"
    } else {
        gives_a_future(&sig.output).unwrap_or(
            "`#[propagate]` needs an `async fn`, or a parameter of type `Ctx` or `&Ctx`: this function has no context \
             to propagate",
        )
    };
    Some(Error::new_spanned(sig.fn_token, message))
}

fn boxed_by_another(sig: &Signature) -> Option<Error> {
    sig.generics.params.iter().find_map(|param| match param {
        GenericParam::Lifetime(param)
            if BOXING.iter().any(|name| param.lifetime.ident == *name) =>
        {
            let by = &param.lifetime.ident;
            let instead = match by.to_string().as_str() {
                "async_trait" => {
                    "\n  in an `impl` of a trait that is not yours, put `#[propagate]` above `#[async_trait]`, on the \
                     `impl` block\n  for a trait of your own, leave `#[async_trait]` out: `#[propagate(boxed)]` does \
                     its work"
                }
                _ => ": leave it out, `#[propagate(boxed)]` does its work",
            };
            let message = format_args!("`#[{by}]` has rewritten this function already{instead}");
            Some(Error::new_spanned(&sig.ident, message))
        }
        _ => None,
    })
}

/// Why a function that is not async and gives a future cannot be meant, and what to write.
pub(crate) fn gives_a_future(output: &ReturnType) -> Option<&'static str> {
    fn is_future(ty: &Type) -> bool {
        match ty {
            Type::TraitObject(ty) => has_future(ty.bounds.iter()),
            Type::Path(ty) => ty.path.segments.last().is_some_and(|last| match &last.arguments {
                PathArguments::AngleBracketed(args) => args
                    .args
                    .iter()
                    .any(|arg| matches!(arg, GenericArgument::Type(ty) if is_future(ty))),
                _ => last.ident == "BoxFuture",
            }),
            _ => false,
        }
    }
    fn has_future<'a>(mut bounds: impl Iterator<Item = &'a TypeParamBound>) -> bool {
        bounds.any(|bound| match bound {
            TypeParamBound::Trait(bound) => {
                bound.path.segments.last().is_some_and(|last| last.ident == "Future")
            }
            _ => false,
        })
    }
    match output {
        ReturnType::Type(_, ty) => match &**ty {
            Type::ImplTrait(ty) if has_future(ty.bounds.iter()) => Some(
                "`#[propagate]` needs an `async fn`, and this function only returns a future\n  write `async fn`: in a \
                 trait the attribute makes its future `Send`",
            ),
            ty if is_future(ty) => Some(
                "`#[propagate]` needs an `async fn`, and this function only returns a future\n  write `async fn` with \
                 `#[propagate(boxed)]`, which boxes the future as this does",
            ),
            _ => None,
        },
        ReturnType::Default => None,
    }
}

/// Whether `#[tracing::instrument]` made `block` of the function's whole body: what it returns is what the function
/// returns. It is known by its first statement, which tells rustc what that is.
pub(crate) fn is_whole_body(block: &ExprAsync) -> bool {
    let Some(Stmt::Expr(Expr::If(first), _)) = block.block.stmts.first() else { return false };
    matches!(first.then_branch.stmts.first(), Some(Stmt::Local(Local { pat: Pat::Type(pat), .. }))
        if matches!(&*pat.pat, Pat::Ident(name) if name.ident == "__tracing_attr_fake_return"))
}

/// Whether `block` is what `#[tracing::instrument(err, ret)]` puts around that: it awaits the body, tells what that gave, and
/// gives it. Of rustc's depth of types a scope around it would take two at each such function.
pub(crate) fn is_around_body(block: &ExprAsync) -> bool {
    let awaited = match block.block.stmts.first() {
        Some(Stmt::Expr(Expr::Match(first), _)) => &first.expr,
        Some(Stmt::Local(Local { init: Some(init), .. })) => &init.expr,
        _ => return false,
    };
    matches!(&**awaited, Expr::Await(awaited)
        if matches!(&*awaited.base, Expr::Async(block) if is_whole_body(block)))
}

/// Whether `awaited` is the body that `#[tracing::instrument]` made a block, in its span or without one. The awaits inside
/// are the function's leaves.
pub(crate) fn is_the_body(awaited: &Expr) -> bool {
    let value = match awaited {
        Expr::Call(call) => call.args.first(),
        value => Some(value),
    };
    matches!(value, Some(Expr::Path(path)) if path.path.is_ident("__tracing_instrument_future"))
}

/// `#[tracing::instrument]` reads the body of an `async fn`, so it goes first and `#[propagate]` last: its work is known
/// to the rewriter.
pub(crate) fn after_instrument(function: &Function, args: &Args) -> Option<TokenStream> {
    let at = function.attrs.iter().position(|attr| name_is_one_of(attr, &["instrument"]))?;
    function.sig.asyncness?;
    let (Function { attrs, vis, sig, body, .. }, ours) = (function, args.attribute());
    let (instrument, body) = (&attrs[at], body.as_ref()?);
    let others = attrs.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, attr)| attr);
    Some(quote!(#instrument #(#others)* #ours #vis #sig #body))
}
