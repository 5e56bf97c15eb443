//! The type that a function gives, as the forms write it down.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::visit_mut::VisitMut;
use syn::{PathSegment, ReturnType, Signature, Type, TypeImplTrait, parse_quote_spanned};

use crate::krate::Private;

/// The type that the function's `return` gives.
pub(crate) struct Output {
    /// As it was written; `!` in a form that may stand anywhere.
    pub(crate) ty: Type,
    pub(crate) never: bool,
}

impl Output {
    pub(crate) fn of(sig: &Signature, private: &Private) -> Output {
        let ty = match &sig.output {
            ReturnType::Default => parse_quote_spanned!(sig.ident.span()=> ()),
            ReturnType::Type(_, ty) => (**ty).clone(),
        };
        let never = matches!(ty, Type::Never(_));
        let ty = if never {
            // Stable Rust knows `!` only as what a function gives.
            let private = private.at(ty.span());
            parse_quote_spanned!(ty.span()=> <fn() -> ! as #private::Gives>::Output)
        } else {
            ty
        };
        Output { ty, never }
    }

    /// Whether it may be a future, as in `async fn start() -> JoinHandle<()>`, as far as its name tells.
    pub(crate) fn may_be_awaited(&self) -> bool {
        match &self.ty {
            Type::Path(of) if !self.never => of.path.segments.last().is_some_and(|last| {
                let name = last.ident.to_string();
                name.starts_with(char::is_uppercase)
                    && !name.ends_with("Result")
                    && !["Option", "Vec", "String"].contains(&&*name)
            }),
            Type::ImplTrait(_) => true,
            _ => false,
        }
    }

    /// For a place where `impl Trait` is inferred.
    pub(crate) fn inferred(&self) -> Type {
        replace_impls(&self.ty, Type::Verbatim(quote!(_)))
    }

    /// For a place where nothing is inferred and only the type's shape counts. None where an `impl Trait` is a parameter of a
    /// type that may bound it, as in `Result<Lines<impl Stream>, E>`: nothing can stand for it there.
    pub(crate) fn shape(&self) -> Option<Type> {
        let known = !bounds_an_impl(&self.ty);
        known.then(|| replace_impls(&self.ty, Type::Verbatim(quote!(()))))
    }

    /// The type, as something to ask: a value of `Returns`. Where it has no shape the body tells it, and the question has to
    /// stand in that, before all else.
    pub(crate) fn question(&self, private: &Private) -> TokenStream {
        let site = Span::mixed_site();
        let private = private.at(site);
        if let Some(shape) = self.shape() {
            return quote_spanned!(site=> #private::Returns::<#shape>::new());
        }
        let ty = self.inferred();
        quote_spanned! {site=>
            {
                let returns = #private::Returns::<#ty>::new();
                if false {
                    return returns.given();
                }
                returns
            }
        }
    }

    /// Tells the compiler first what the body returns, so that a mismatch is shown where it is.
    pub(crate) fn returned(&self, private: &Private) -> Option<TokenStream> {
        (!self.never).then(|| returned(&self.inferred(), private))
    }
}

/// Tells the compiler that a body returns `ty`.
pub(crate) fn returned(ty: &Type, private: &Private) -> TokenStream {
    let site = Span::mixed_site().located_at(ty.span());
    let private = private.at(site);
    quote_spanned! {site=>
        if false {
            return #private::returned::<#ty>();
        }
    }
}

impl ToTokens for Output {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.ty.to_tokens(tokens);
    }
}

/// Whether an `impl Trait` in `ty` is a parameter of a type that may ask something of it.
fn bounds_an_impl(ty: &Type) -> bool {
    /// What it is is told by its name, as everywhere in a macro: a type of that name which has bounds is not known.
    const ASK_NOTHING: &[&str] = &["Box", "Option", "Vec"];
    struct Bounded {
        inside: bool,
        any: bool,
    }
    impl<'a> Visit<'a> for Bounded {
        fn visit_type_impl_trait(&mut self, _: &'a TypeImplTrait) {
            self.any |= self.inside;
        }

        fn visit_path_segment(&mut self, segment: &'a PathSegment) {
            let name = segment.ident.to_string();
            let asks = !name.ends_with("Result") && !ASK_NOTHING.contains(&&*name);
            let inside = std::mem::replace(&mut self.inside, asks);
            visit::visit_path_segment(self, segment);
            self.inside = inside;
        }
    }
    let mut bounded = Bounded { inside: false, any: false };
    bounded.visit_type(ty);
    bounded.any
}

/// `ty` with each `impl Trait` in it, which no expression can name, replaced.
fn replace_impls(ty: &Type, with: Type) -> Type {
    struct Replace(Type);
    impl VisitMut for Replace {
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
