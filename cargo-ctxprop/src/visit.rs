//! Walks the syntax tree of a file and notes in its [`Index`] where things stand.

use std::ops::Range;

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{
    AttrStyle, Attribute, FnArg, GenericArgument, ImplItemFn, Item, ItemFn, ItemImpl, ItemMod,
    ItemTrait, Meta, Pat, PathArguments, ReturnType, Signature, TraitItemFn, Type, TypeParamBound,
};

use crate::index::{
    Attr, Block, BlockKind, Function, Import, Index, ModFile, Module, Named, Place,
};
use crate::{routers, tokens};

mod uses;

pub(crate) struct Visitor<'a> {
    index: &'a mut Index,
    before: usize,
    end: usize,
    test: bool,
    block: Option<usize>,
    module: usize,
    inside: Vec<String>,
    /// In the arguments of a router's `nest` or `merge`.
    nested: bool,
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(index: &'a mut Index, before: usize, end: usize) -> Self {
        Visitor {
            index,
            before,
            end,
            test: false,
            block: None,
            module: 0,
            inside: Vec::new(),
            nested: false,
        }
    }

    pub(crate) fn file(&mut self, file: &syn::File) {
        self.test = is_for_tests(&file.attrs);
        self.module(&file.attrs, self.before..self.end + 1, &file.items);
        self.visit_file(file);
    }

    fn range(&self, span: Span) -> Range<usize> {
        let range = span.byte_range();
        range.start + self.before..range.end + self.before
    }

    fn module(&mut self, attrs: &[Attribute], range: Range<usize>, items: &[Item]) {
        let inner = attrs.iter().filter(|attr| matches!(attr.style, AttrStyle::Inner(_)));
        let behind = inner.map(|attr| self.range(attr.span()).end).max().unwrap_or(range.start);
        let next = tokens::first_from(&self.index.tokens, behind);
        let start = self.index.tokens.get(next).map_or(range.end, |token| token.range.start);
        let mut module = Module {
            path: self.inside.join("::"),
            start: start.min(range.end),
            range,
            imports: Vec::new(),
            names: Default::default(),
            of_tonic: Default::default(),
            test: self.test,
        };
        for item in items {
            match item {
                Item::Use(item) => {
                    uses::bound(&item.tree, &mut module.names);
                    if uses::root(&item.tree) == "tonic" {
                        uses::bound(&item.tree, &mut module.of_tonic);
                    }
                    module.imports.push(Import {
                        range: self.range(item.span()),
                        root: uses::root(&item.tree),
                        plain: item.attrs.is_empty(),
                        ours: uses::ours(item),
                    });
                }
                Item::Fn(item) => {
                    module.names.insert(item.sig.ident.to_string());
                }
                Item::Struct(syn::ItemStruct { ident, .. })
                | Item::Enum(syn::ItemEnum { ident, .. })
                | Item::Type(syn::ItemType { ident, .. })
                | Item::Trait(ItemTrait { ident, .. })
                | Item::Mod(ItemMod { ident, .. }) => {
                    module.names.insert(ident.to_string());
                }
                _ => {}
            }
        }
        self.module = self.index.modules.len();
        self.index.modules.push(module);
    }

    fn place(&self, attrs: &[Attribute], whole: Span) -> Place {
        let whole = self.range(whole);
        let outer: Vec<_> =
            attrs.iter().filter(|attr| matches!(attr.style, AttrStyle::Outer)).collect();
        let behind = outer.iter().map(|attr| self.range(attr.span()).end).max();
        let start = match behind {
            Some(behind) => {
                let next = tokens::first_from(&self.index.tokens, behind);
                self.index.tokens.get(next).map_or(whole.end, |token| token.range.start)
            }
            None => whole.start,
        };
        let attrs = outer.iter().map(|attr| Attr {
            name: attr
                .path()
                .segments
                .last()
                .map(|last| last.ident.to_string())
                .unwrap_or_default(),
            of: attr.path().segments.iter().rev().nth(1).map(|of| of.ident.to_string()),
            range: self.range(attr.span()),
            args: match &attr.meta {
                Meta::List(list) => list.tokens.to_string().replace(' ', ""),
                _ => String::new(),
            },
        });
        Place { start, attrs: attrs.collect(), whole, test: self.test, module: self.module }
    }

    fn function(&mut self, attrs: &[Attribute], sig: &Signature, body: Option<Span>, whole: Span) {
        let was = self.test;
        self.test |= is_for_tests(attrs);
        let mut place = self.place(attrs, whole);
        self.test = was;
        let receiver_end = sig.receiver().map(|receiver| self.range(receiver.span()).end);
        let typed: Vec<_> = sig
            .inputs
            .iter()
            .filter_map(|input| match input {
                FnArg::Typed(input) => Some(input),
                FnArg::Receiver(_) => None,
            })
            .collect();
        let open = self.range(sig.paren_token.span.open()).end;
        let at = match (typed.first(), receiver_end) {
            (Some(first), _) => self.range(first.span()).start,
            (None, Some(end)) => end,
            (None, None) => open,
        };
        let context = typed.iter().find_map(|input| {
            let (ty, by_reference) = match &*input.ty {
                Type::Reference(reference) if reference.mutability.is_none() => {
                    (&*reference.elem, true)
                }
                ty => (ty, false),
            };
            let Type::Path(path) = ty else { return None };
            let Pat::Ident(name) = &*input.pat else { return None };
            (path.path.segments.last()?.ident == "Ctx")
                .then(|| Named { name: name.ident.to_string(), by_reference })
        });
        let lasting = matches!(&sig.output, ReturnType::Type(_, ty) if lasts(ty));
        let (output, future_of) = match &sig.output {
            ReturnType::Default => (None, None),
            ReturnType::Type(_, ty) => {
                (Some(self.range(ty.span())), future_of(ty).map(|ty| self.range(ty.span())))
            }
        };
        if sig.ident == "main" && self.inside.is_empty() && self.block.is_none() {
            // also the `main` of a macro with another name, and the plain one
            let range = self.range(sig.ident.span());
            place.attrs.push(Attr {
                name: "main".to_owned(),
                of: None,
                range,
                args: String::new(),
            });
        }
        self.index.functions.push(Function {
            place,
            name: sig.ident.to_string(),
            is_async: sig.asyncness.is_some(),
            foreign_abi: sig.abi.is_some(),
            body: body.map(|span| self.range(span)),
            fn_token: self.range(sig.fn_token.span()).start,
            output,
            lasting_future: future_of.is_some() && lasting,
            future_of: future_of.filter(|_| !lasting),
            block: self.block,
            context,
            parameters: (at, !typed.is_empty()),
            types: typed.iter().map(|input| input.ty.to_token_stream().to_string()).collect(),
        });
    }

    fn within(&mut self, attrs: &[Attribute], block: Option<usize>, visit: impl FnOnce(&mut Self)) {
        let was = (self.test, self.block);
        self.test |= is_for_tests(attrs);
        self.block = block;
        visit(self);
        (self.test, self.block) = was;
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        let range = self.range(statement.span());
        self.index.statements.push(range);
        syn::visit::visit_stmt(self, statement);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        let known = self.index.routers.len();
        syn::visit::visit_local(self, local);
        if let Pat::Ident(name) = &local.pat
            && let Some(router) = self.index.routers.get_mut(known)
        {
            router.name = Some(name.ident.to_string());
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if let Some(mut router) = routers::chain(call, |span| self.range(span))
            && self.index.routers.iter().all(|known| known.start != router.start)
        {
            router.nested = self.nested;
            self.index.routers.push(router);
        }
        let was = self.nested;
        syn::visit::visit_expr(self, &call.receiver);
        if routers::NEST.iter().any(|name| call.method == name) {
            self.nested = true;
            for argument in &call.args {
                routers::names(argument, &mut self.index.nested);
            }
        }
        for argument in &call.args {
            syn::visit::visit_expr(self, argument);
        }
        self.nested = was;
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        let block = self.block.take();
        self.function(&item.attrs, &item.sig, Some(item.block.span()), item.span());
        self.within(&item.attrs, None, |it| syn::visit::visit_item_fn(it, item));
        self.block = block;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.attrs, &item.sig, Some(item.block.span()), item.span());
        self.within(&item.attrs, None, |it| syn::visit::visit_impl_item_fn(it, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        let body = item.default.as_ref().map(|body| body.span());
        self.function(&item.attrs, &item.sig, body, item.span());
        self.within(&item.attrs, None, |it| syn::visit::visit_trait_item_fn(it, item));
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let kind = match &item.trait_ {
            Some((path, _)) => BlockKind::Of(
                path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default(),
            ),
            None => BlockKind::Inherent,
        };
        let mut place = self.place(&item.attrs, item.span());
        place.test |= is_for_tests(&item.attrs);
        let block = self.index.blocks.len();
        let name = match &*item.self_ty {
            Type::Path(ty) => ty.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        self.index.blocks.push(Block { place, kind, name: name.unwrap_or_default() });
        self.within(&item.attrs, Some(block), |it| syn::visit::visit_item_impl(it, item));
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        let mut place = self.place(&item.attrs, item.span());
        place.test |= is_for_tests(&item.attrs);
        let block = self.index.blocks.len();
        let name = item.ident.to_string();
        self.index.blocks.push(Block { place, kind: BlockKind::Trait(name.clone()), name });
        self.within(&item.attrs, Some(block), |it| syn::visit::visit_item_trait(it, item));
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.to_string();
        let was = (self.test, self.module, self.block.take());
        self.test |= is_for_tests(&item.attrs);
        match &item.content {
            Some((braces, items)) => {
                self.inside.push(name);
                let range =
                    self.range(braces.span.open()).end..self.range(braces.span.close()).start + 1;
                self.module(&item.attrs, range, items);
                syn::visit::visit_item_mod(self, item);
                self.inside.pop();
            }
            None => {
                let path = item.attrs.iter().find_map(|attr| match &attr.meta {
                    Meta::NameValue(meta) if meta.path.is_ident("path") => match &meta.value {
                        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) => {
                            Some(path.value())
                        }
                        _ => None,
                    },
                    _ => None,
                });
                let (inside, test) = (self.inside.clone(), self.test);
                self.index.files.push(ModFile { name, path, inside, test });
            }
        }
        (self.test, self.module, self.block) = was;
    }
}

/// `#[cfg(test)]` and `#[cfg(all(test, ..))]`, and functions that are tests.
fn is_for_tests(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| match &attr.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let text = list.tokens.to_string().replace(' ', "");
            text == "test" || text.starts_with("all(test,") || text.starts_with("all(test)")
        }
        _ => false,
    })
}

/// Whether it is `impl Trait + 'static`, which borrows nothing of the arguments, as that of an `async fn` does.
fn lasts(ty: &Type) -> bool {
    let Type::ImplTrait(ty) = ty else { return false };
    let is_static = |bound: &TypeParamBound| matches!(bound, TypeParamBound::Lifetime(lifetime) if lifetime.ident == "static");
    ty.bounds.iter().any(is_static)
}

/// The `T` of `impl Future<Output = T> + ..`.
fn future_of(ty: &Type) -> Option<&Type> {
    let Type::ImplTrait(ty) = ty else { return None };
    ty.bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let last = bound.path.segments.last().filter(|last| last.ident == "Future")?;
        let PathArguments::AngleBracketed(args) = &last.arguments else { return None };
        args.args.iter().find_map(|arg| match arg {
            GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
            _ => None,
        })
    })
}
