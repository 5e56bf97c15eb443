//! One lifetime for a boxed future: that of everything the function takes, as `async_trait` has it.

use proc_macro2::Span;
use syn::visit_mut::{self, VisitMut};
use syn::{
    FnArg, GenericParam, Lifetime, LifetimeParam, ParenthesizedGenericArguments, ReceiverKind,
    Signature, Token, Type, TypeFnPtr, TypeImplTrait, TypeParamBound, TypeReference,
    WherePredicate, parse_quote, parse_quote_spanned,
};

use super::parse::Place;

/// Names what is left out in the parameters of `sig` and in its `output`, and bounds all of it by the lifetime that it
/// gives.
///
/// Where a function can do without, the lifetime is `'_` or `'static`. A method can only where `&self` is all it takes: a
/// trait and its implementations have to come to the same answer, and one may see generics where the other sees none.
pub(crate) fn common(sig: &mut Signature, output: &mut Type, place: &Place) -> Lifetime {
    // What differs from a trait is shown at the name of the method.
    let site = Span::mixed_site().located_at(sig.ident.span());
    let mut named = Named::at(site);
    let mut probe = sig.clone();
    probe.inputs.iter_mut().for_each(|input| named.visit_fn_arg_mut(input));
    let mut impls = Impls(Lifetime::new("'propagated", site), 0);
    let mut bounded = probe.clone();
    bounded.inputs.iter_mut().for_each(|input| impls.visit_fn_arg_mut(input));
    let is_generic = impls.1 > 0
        || sig.generics.params.iter().any(|param| !matches!(param, GenericParam::Const(_)));
    let is_plain = match sig.receiver() {
        Some(receiver) => {
            matches!(receiver.kind, ReceiverKind::Reference(..)) && sig.inputs.len() == 1
        }
        None => place.is_free,
    };
    if is_plain && !is_generic {
        match (named.elided.len(), named.written.len()) {
            (0, 0) => return Lifetime::new("'static", Span::mixed_site()),
            (1, 0) => return Lifetime::new("'_", Span::mixed_site()),
            _ => {}
        }
    }
    let all = impls.0;
    sig.inputs = bounded.inputs;
    if let Some(lifetime) = named.of_the_output() {
        Elided(lifetime.clone()).visit_type_mut(output);
    }
    // In a static method too: of an implementation's generics, the trait knows only what `Self` says.
    let has_self = sig.receiver().is_some() || !place.is_free;
    for param in &mut sig.generics.params {
        match param {
            GenericParam::Lifetime(param) => param.bounds.push(all.clone()),
            GenericParam::Type(param) => param.bounds.push(parse_quote!(#all)),
            GenericParam::Const(_) => {}
        }
    }
    for (n, elided) in named.elided.into_iter().enumerate() {
        let mut param = LifetimeParam::new(elided);
        param.colon_token = Some(Token![:](site));
        param.bounds.push(all.clone());
        sig.generics.params.insert(n, GenericParam::Lifetime(param));
    }
    sig.generics.params.insert(0, GenericParam::Lifetime(LifetimeParam::new(all.clone())));
    sig.generics.lt_token.get_or_insert(Token![<](site));
    sig.generics.gt_token.get_or_insert(Token![>](site));
    let of_self: Option<WherePredicate> = has_self.then(|| parse_quote_spanned!(site=> Self: #all));
    let of_around = place.generics.params.iter().filter_map(|param| -> Option<WherePredicate> {
        match param {
            GenericParam::Lifetime(param) => {
                let lifetime = &param.lifetime;
                Some(parse_quote!(#lifetime: #all))
            }
            GenericParam::Type(param) => {
                let ident = &param.ident;
                Some(parse_quote!(#ident: #all))
            }
            GenericParam::Const(_) => None,
        }
    });
    sig.generics.make_where_clause().predicates.extend(of_self.into_iter().chain(of_around));
    all
}

/// Names what is left out inside of `impl Trait` in the parameters of `sig`: an `async fn` may leave it out there, and
/// the `fn` that it becomes may not.
pub(crate) fn in_impls(sig: &mut Signature) {
    let mut inside = InImpls(Named::at(Span::mixed_site().located_at(sig.ident.span())));
    sig.inputs.iter_mut().for_each(|input| inside.visit_fn_arg_mut(input));
    let params = inside.0.elided.into_iter().map(LifetimeParam::new).map(GenericParam::Lifetime);
    params.rev().for_each(|param| sig.generics.params.insert(0, param));
}

struct InImpls(Named);

impl VisitMut for InImpls {
    fn visit_type_impl_trait_mut(&mut self, ty: &mut TypeImplTrait) {
        self.0.visit_type_impl_trait_mut(ty);
    }
}

struct Named {
    /// Where new names are shown.
    site: Span,
    /// The names of those that are left out.
    elided: Vec<Lifetime>,
    /// Those that the user names, as often as they are named.
    written: Vec<Lifetime>,
    /// That of `&self`.
    receiver: Option<Lifetime>,
}

impl Named {
    const fn at(site: Span) -> Named {
        Named { site, elided: Vec::new(), written: Vec::new(), receiver: None }
    }

    fn next(&mut self) -> Lifetime {
        let name = format!("'borrowed{}", self.elided.len());
        let lifetime = Lifetime::new(&name, self.site);
        self.elided.push(lifetime.clone());
        lifetime
    }

    fn reference(&mut self, lifetime: &mut Option<Lifetime>) -> Lifetime {
        let mut named = lifetime.take().unwrap_or_else(|| Lifetime::new("'_", self.site));
        self.visit_lifetime_mut(&mut named);
        lifetime.insert(named).clone()
    }

    /// What one that is left out in the output means.
    fn of_the_output(&self) -> Option<&Lifetime> {
        self.receiver.as_ref().or(match (&self.elided[..], &self.written[..]) {
            ([one], []) | ([], [one]) => Some(one),
            _ => None,
        })
    }
}

impl VisitMut for Named {
    fn visit_fn_arg_mut(&mut self, input: &mut FnArg) {
        match input {
            FnArg::Receiver(receiver) => match &mut receiver.kind {
                ReceiverKind::Reference(_, lifetime, _) => {
                    self.receiver = Some(self.reference(lifetime));
                }
                ReceiverKind::Typed(_, ty) => self.visit_type_mut(ty),
                _ => {}
            },
            FnArg::Typed(input) => self.visit_type_mut(&mut input.ty),
        }
    }

    fn visit_type_reference_mut(&mut self, ty: &mut TypeReference) {
        self.reference(&mut ty.lifetime);
        self.visit_type_mut(&mut ty.elem);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = self.next();
        } else if lifetime.ident != "static" {
            self.written.push(lifetime.clone());
        }
    }

    // those in `fn(&T)` and `Fn(&T)` are their own
    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {
    }
}

/// Bounds each `impl Trait`, which is a parameter without a name, by the lifetime, and counts them.
struct Impls(Lifetime, usize);

impl VisitMut for Impls {
    fn visit_type_impl_trait_mut(&mut self, ty: &mut TypeImplTrait) {
        self.1 += 1;
        ty.bounds.push(TypeParamBound::Lifetime(self.0.clone()));
        visit_mut::visit_type_impl_trait_mut(self, ty);
    }

    /// `&impl Trait` has one bound more, so what it refers to is in parentheses: `&(impl Trait + 'a)`.
    fn visit_type_mut(&mut self, ty: &mut Type) {
        visit_mut::visit_type_mut(self, ty);
        let elem = match ty {
            Type::Reference(ty) => &mut ty.elem,
            Type::Ptr(ty) => &mut ty.elem,
            _ => return,
        };
        if let Type::ImplTrait(bounded) = &**elem {
            **elem = parse_quote!((#bounded));
        }
    }
}

/// Gives those that are left out in the output their name.
struct Elided(Lifetime);

impl VisitMut for Elided {
    fn visit_type_reference_mut(&mut self, ty: &mut TypeReference) {
        ty.lifetime.get_or_insert_with(|| self.0.clone());
        visit_mut::visit_type_reference_mut(self, ty);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = self.0.clone();
        }
    }

    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {
    }
}
