//! `impl` blocks, traits and modules: the attribute goes to each function inside that it can mean.
//!
//! | inside | becomes |
//! | --- | --- |
//! | `async fn`, or a trait's without a body | what it would with the attribute |
//! | `async fn` in an `impl` that has `#[async_trait]` below | itself: its body is rewritten, and runs under what is current |
//! | `fn` with a parameter of type `Ctx` or `&Ctx` | itself, with the rules applied |
//! | what has a `#[propagate(..)]` of its own | what that says; `#[propagate(skip)]` leaves it as it is |
//! | an entry point (`#[tokio::main]`, `#[tokio::test]`, ..) | itself: it makes the context |
//! | a trait's `fn` that gives a future | an error: its `async fn` is meant |
//! | another `fn`, a type, a constant, a macro | itself |

use proc_macro2::{Ident, TokenStream};
use syn::{Attribute, ImplItem, Item, ItemImpl, ItemMod, ItemTrait, Meta, TraitItem};

use super::args::ctx::Context;
use super::parse::Place;
use super::{Args, Function, expand, generators, neighbours, validate};
use crate::errors::Errors;

pub(crate) fn implementation(item: &mut ItemImpl, args: &Args, errors: &mut Errors) {
    let methods = item.items.iter().filter_map(|inner| match inner {
        ImplItem::Fn(method) => Some(&method.sig),
        _ => None,
    });
    let is_boxed_below = args.boxed.is_none() && neighbours::is_boxed(&item.attrs);
    if !validate::container(&item.attrs, is_boxed_below, methods, errors) {
        return;
    }
    for inner in &mut item.items {
        let ImplItem::Fn(method) = inner else { continue };
        if method.modifiers.defaultness.is_some() {
            continue;
        }
        let own = Own::take(&mut method.attrs, args, errors);
        let mut function = Function::from(method.clone());
        function.place = Place {
            is_free: false,
            implements: item.trait_.is_some(),
            generics: item.generics.clone(),
            is_boxed_below,
            is_read_below: !neighbours::are_inert(&item.attrs),
            ..Place::default()
        };
        if let Some(tokens) = one(function, &own, args, errors) {
            *inner = ImplItem::Verbatim(tokens);
        }
    }
}

pub(crate) fn interface(item: &mut ItemTrait, args: &Args, errors: &mut Errors) {
    let methods = item.items.iter().filter_map(|inner| match inner {
        TraitItem::Fn(method) => Some(&method.sig),
        _ => None,
    });
    if !validate::container(&item.attrs, false, methods, errors) {
        return;
    }
    if generators::first(item, args) {
        return;
    }
    let siblings: Vec<_> = item.items.iter().filter_map(|inner| sibling(inner, args)).collect();
    for inner in &mut item.items {
        let TraitItem::Fn(method) = inner else { continue };
        let own = Own::take(&mut method.attrs, args, errors);
        let mut function = Function::from(method.clone());
        function.place = Place {
            is_free: false,
            implements: false,
            generics: item.generics.clone(),
            is_boxed_below: false,
            is_read_below: false,
            supertraits: Some(item.supertraits.clone()),
            siblings: siblings.clone(),
        };
        if matches!(own, Own::Outer) && !validate::method_of_a_trait(&function, args, errors) {
            continue;
        }
        if let Some(tokens) = one(function, &own, args, errors) {
            *inner = TraitItem::Verbatim(tokens);
        }
    }
}

/// Its name, where it is a method that needs a context.
fn sibling(item: &TraitItem, args: &Args) -> Option<Ident> {
    let TraitItem::Fn(method) = item else { return None };
    let needs_one = method.sig.asyncness.is_some()
        && !Context::is_named(&method.sig, args)
        && !method.attrs.iter().any(is_ours);
    needs_one.then(|| method.sig.ident.clone())
}

pub(crate) fn module(item: &mut ItemMod, args: &Args, errors: &mut Errors) {
    for inner in item.content.iter_mut().flat_map(|(_, items)| items) {
        let attrs = match inner {
            Item::Fn(item) => &mut item.attrs,
            Item::Impl(item) => &mut item.attrs,
            Item::Trait(item) => &mut item.attrs,
            Item::Mod(item) => &mut item.attrs,
            _ => continue,
        };
        let own = Own::take(attrs, args, errors);
        if let Own::Skip = own {
            continue;
        }
        match inner {
            Item::Fn(function) => {
                let function = Function::from(function.clone());
                if let Some(tokens) = one(function, &own, args, errors) {
                    *inner = Item::Verbatim(tokens);
                }
            }
            Item::Impl(item) => implementation(item, own.or(args), errors),
            Item::Trait(item) => interface(item, own.or(args), errors),
            Item::Mod(item) => module(item, own.or(args), errors),
            _ => {}
        }
    }
}

/// What becomes of a function, if anything does.
fn one(function: Function, own: &Own, outer: &Args, errors: &mut Errors) -> Option<TokenStream> {
    match own {
        // It was asked for, so a reason why it cannot be is an error.
        Own::Args(own) => Some(expand::function(function, own, errors)),
        Own::Outer if validate::is_meant(&function, outer) => {
            Some(expand::function_inside(function, outer, errors))
        }
        Own::Outer | Own::Skip => None,
    }
}

/// What an item inside says of itself.
enum Own {
    /// Nothing.
    Outer,
    Args(Box<Args>),
    Skip,
}

impl Own {
    /// Takes the item's own attribute off.
    fn take(attrs: &mut Vec<Attribute>, outer: &Args, errors: &mut Errors) -> Own {
        let Some(at) = attrs.iter().position(is_ours) else { return Own::Outer };
        let attr = attrs.remove(at);
        if let Some(second) = attrs.iter().find(|attr| is_ours(attr)) {
            errors.at(second.path(), "`#[propagate]` was given twice: put the arguments into one");
            attrs.retain(|attr| !is_ours(attr));
        }
        let tokens = match attr.meta {
            Meta::Path(_) => TokenStream::new(),
            Meta::List(list) => list.tokens,
            Meta::NameValue(meta) => {
                errors.at(meta.eq_token, "expected `#[propagate(..)]`");
                TokenStream::new()
            }
        };
        let args = Args::parse(tokens, errors).inside(outer);
        if args.skip.is_some() { Own::Skip } else { Own::Args(Box::new(args)) }
    }

    fn or<'a>(&'a self, outer: &'a Args) -> &'a Args {
        match self {
            Own::Args(args) => args,
            Own::Outer | Own::Skip => outer,
        }
    }
}

pub(super) fn is_ours(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|last| last.ident == "propagate")
}
