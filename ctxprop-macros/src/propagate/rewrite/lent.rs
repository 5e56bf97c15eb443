//! What lets a name mean another context in a way that cannot be followed: `&mut ctx`, `ref mut`, and assignments in closures
//! and async blocks, which have copies of what it means. By type: an error where the name is that of a context, and nothing else.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::{Arm, Expr, Local, Pat, parse_quote_spanned};

use super::binds::place_of;
use super::{BodyKind, Rewriter};

impl Rewriter<'_> {
    /// The name, where `expr` is the variable.
    fn is_named(&self, expr: &Expr) -> Option<Ident> {
        if self.frame.kind == BodyKind::Plain {
            return None;
        }
        place_of(expr, self.name.as_ref()?).cloned()
    }

    /// Whether the name is that of a context. Shown at the name, as the user's own: the message does not speak of macros.
    fn asked(&self, name: &Ident, question: &str, demanded: &str) -> TokenStream {
        let site = name.span();
        let (question, demanded) = (Ident::new(question, site), Ident::new(demanded, site));
        let private = self.private(site);
        let asked = quote_spanned! {site=>
            let _: &dyn #private::#demanded = #private::Name(&#name).#question()
        };
        let private = self.private(Span::mixed_site());
        quote_spanned! {Span::mixed_site()=>
            #[allow(unused_imports)]
            use #private::OtherName as _;
            #asked;
        }
    }

    /// `&mut ctx`
    pub(super) fn refuse_lent(&self, expr: &mut Expr) {
        let lent = match &*expr {
            Expr::Reference(lent) if lent.mutability.is_some() => &lent.expr,
            Expr::RawAddr(lent) if matches!(lent.mutability, syn::PointerMutability::Mut(_)) => {
                &lent.expr
            }
            _ => return,
        };
        if let Some(name) = self.is_named(lent) {
            let question = self.asked(&name, "lent", "NotLent");
            *expr = parse_quote_spanned!(Span::mixed_site()=> { #question #expr });
        }
    }

    /// `match ctx { ref mut other => .. }`
    pub(super) fn refuse_lent_to_arms(&self, expr: &mut Expr) {
        let Expr::Match(of) = &*expr else { return };
        let lends = |arm: &Arm| is_ref_mut(&arm.pat);
        if of.arms.iter().any(lends)
            && let Some(name) = self.is_named(&of.expr)
        {
            let question = self.asked(&name, "lent", "NotLent");
            *expr = parse_quote_spanned!(Span::mixed_site()=> { #question #expr });
        }
    }

    /// `let ref mut other = ctx;`
    pub(super) fn refuse_lent_to_local(&self, local: &mut Local) {
        let Some(init) = &mut local.init else { return };
        if is_ref_mut(&local.pat)
            && let Some(name) = self.is_named(&init.expr)
        {
            let question = self.asked(&name, "lent", "NotLent");
            let lent = &init.expr;
            init.expr = parse_quote_spanned!(Span::mixed_site()=> *{ #question &mut #lent });
        }
    }

    /// `|| ctx = value`
    pub(super) fn refuse_assigned(&self, expr: &mut Expr, name: &Ident) {
        let question = self.asked(name, "assigned_inside", "NotAssignedInside");
        *expr = parse_quote_spanned!(Span::mixed_site()=> { #expr; #question });
    }
}

fn is_ref_mut(pat: &Pat) -> bool {
    match pat {
        Pat::Ident(pat) => pat.by_ref.is_some() && pat.mutability.is_some(),
        Pat::Paren(pat) => is_ref_mut(&pat.pat),
        Pat::Type(pat) => is_ref_mut(&pat.pat),
        _ => false,
    }
}
