//! What a path does not tell is asked by type: code that compiles to nothing, and does not compile where the type is
//! the one that a rule is about.
//!
//! All tokens of a question have the very span of the user's token: the message then points there and does not speak
//! of macros. What is around it belongs to the macro, so that no lint takes it for the user's.

use proc_macro2::{Ident, Span};
use quote::{ToTokens, quote_spanned};
use syn::{BinOp, Expr, ExprCall, ExprMethodCall, ExprPath, Path, UnOp, parse_quote_spanned};

use super::table::{OF_MODULES, Rule};
use super::{Rules, names};

impl Rules<'_> {
    /// `P::background()` and `P::todo()`: is what it gives a context?
    pub(super) fn root(&mut self, call: &ExprCall) -> Option<Expr> {
        let Expr::Path(callee) = &*call.func else { return None };
        let last = &callee.path.segments.last()?.ident;
        if !call.args.is_empty() || !may_be_a_root(callee) || self.allows(Rule::DetachedContext) {
            return None;
        }
        Some(self.asked_for_roots(call, last.span(), "Root"))
    }

    /// `P::background` and `P::todo` that are not called here: do they make contexts?
    pub(super) fn makes_roots(&mut self, path: &ExprPath) -> Option<Expr> {
        if !may_be_a_root(path) || self.allows(Rule::DetachedContext) {
            return None;
        }
        let last = path.path.segments.last()?.ident.span();
        Some(self.asked_for_roots(path, last, "MakesRoots"))
    }

    /// `made`, whose type is asked. With the trait it resolves, imported or not, so that ours is the only message.
    fn asked_for_roots(&mut self, made: &impl ToTokens, site: Span, question: &str) -> Expr {
        self.checked_roots = true;
        let private = self.private.at(site);
        let (root, question) = (Ident::new("root", Span::mixed_site()), Ident::new(question, site));
        let question = quote_spanned! {site=>
            let _: &dyn #private::StaysInItsContext = #private::#question(&#root).check()
        };
        let core = self.private.at(Span::mixed_site());
        parse_quote_spanned! {Span::mixed_site()=> {
            #[allow(unused_imports)]
            use #core::Background as _;
            match #made {
                #root => {
                    #question;
                    #root
                }
            }
        }}
    }

    /// `thread::sleep` and the like, where the module was imported outside of the body: is it the known one?
    ///
    /// The module is asked for a type that only it has, in a block where its names hide those of a module that has
    /// another type under that name.
    pub(super) fn module(&mut self, path: &ExprPath) -> Option<Expr> {
        if path.qself.is_some()
            || path.path.leading_colon.is_some()
            || path.path.segments.len() != 2
        {
            return None;
        }
        let names = names(&path.path);
        let [module, function] = &names[..] else { return None };
        let (_, has, _, rule, asked) =
            OF_MODULES.iter().find(|(of, _, name, ..)| of == module && name == function)?;
        // What the body itself imports is known by path.
        let own = !self.imports.resolve(&path.path).contains(&names.join("::"));
        if own || self.allows(*rule) {
            return None;
        }
        let (module, function) = (path.path.segments.first()?, path.path.segments.last()?);
        let site = function.ident.span();
        let private = self.private.at(site);
        let (has, asked, module) = (Ident::new(has, site), Ident::new(asked, site), &module.ident);
        let demanded = Ident::new(rule.entry().demands, site);
        let question = quote_spanned! {site=>
            let _: &dyn #private::#demanded = #private::Module::<#has>::new().#asked()
        };
        Some(parse_quote_spanned! {Span::mixed_site()=> {
            {
                #[allow(unused_imports)]
                use #private::no_known_module::*;
                {
                    #[allow(unused_imports)]
                    use #module::*;
                    #question;
                }
            }
            #path
        }})
    }

    /// `runtime.block_on(f)`: is it tokio's?
    pub(super) fn receiver(&mut self, call: &ExprMethodCall) -> Option<Expr> {
        if self.allows(Rule::BlockingCall) {
            return None;
        }
        self.asks_receivers = true;
        let private = self.private.at(call.method.span());
        let receiver = &call.receiver;
        let question = quote_spanned! {call.method.span()=>
            let _: &dyn #private::DoesNotBlock = #private::Receiver::of(&#receiver).block_on()
        };
        Some(parse_quote_spanned! {Span::mixed_site()=> {
            if false {
                #question;
            }
            #call
        }})
    }

    /// `timeout(Duration::from_secs(5), f)`, under whatever name: is it tokio's?
    pub(super) fn timeout(&mut self, call: &ExprCall) -> Option<Expr> {
        let Expr::Path(callee) = &*call.func else { return None };
        let literal = call.args.len() == 2 && call.args.first().is_some_and(is_literal_duration);
        if !literal || self.allows(Rule::StaticTimeout) {
            return None;
        }
        self.asks_timeouts = true;
        let site = callee.path.segments.last()?.ident.span();
        let (private, timeout) = (self.private.at(site), Ident::new("timeout", Span::mixed_site()));
        let question =
            quote_spanned!(site=> #private::Literal::of(&#timeout).of_a_literal_duration());
        Some(parse_quote_spanned! {Span::mixed_site()=>
            match #call {
                #timeout => {
                    #question;
                    #timeout
                }
            }
        })
    }
}

/// `P::background` and `P::todo`
pub(super) fn may_be_a_root(path: &ExprPath) -> bool {
    let named = |last: &Ident| last == "background" || last == "todo";
    path.path.segments.last().is_some_and(|last| named(&last.ident))
        && (path.qself.is_some() || path.path.segments.len() > 1)
}

/// Whether the call may be one of a runtime, as written.
pub(super) fn may_block(call: &ExprMethodCall) -> bool {
    call.method == "block_on" && call.args.len() == 1 && is_simple(&call.receiver)
}

/// `Duration::from_secs(5)`, `5.seconds()` and arithmetic on them.
fn is_literal_duration(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => {
            let of_duration = match &*call.func {
                Expr::Path(path) => is_of_duration(&path.path),
                _ => false,
            };
            of_duration && call.args.iter().all(is_literal)
        }
        Expr::MethodCall(call) => is_literal(&call.receiver) && call.args.iter().all(is_literal),
        Expr::Binary(binary) => {
            let sides = [&binary.left, &binary.right];
            sides.iter().any(|side| is_literal_duration(side))
                && sides.iter().all(|side| is_literal_duration(side) || is_literal(side))
        }
        Expr::Paren(paren) => is_literal_duration(&paren.expr),
        Expr::Group(group) => is_literal_duration(&group.expr),
        _ => false,
    }
}

pub(super) fn is_of_duration(path: &Path) -> bool {
    path.segments.iter().rev().nth(1).is_some_and(|of| of.ident == "Duration")
}

/// A number, or arithmetic on numbers.
fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(_) => true,
        Expr::Binary(binary) => {
            let arithmetic =
                matches!(binary.op, BinOp::Add(_) | BinOp::Sub(_) | BinOp::Mul(_) | BinOp::Div(_));
            arithmetic && is_literal(&binary.left) && is_literal(&binary.right)
        }
        Expr::Unary(unary) => matches!(unary.op, UnOp::Neg(_)) && is_literal(&unary.expr),
        Expr::Paren(paren) => is_literal(&paren.expr),
        Expr::Group(group) => is_literal(&group.expr),
        _ => false,
    }
}

/// Whether the expression can be written a second time, where it never runs: a place, or what is made of nothing.
fn is_simple(expr: &Expr) -> bool {
    fn is_made(expr: &Expr) -> bool {
        match expr {
            Expr::Call(call) => {
                matches!(&*call.func, Expr::Path(_)) && call.args.iter().all(is_literal)
            }
            Expr::MethodCall(call) => is_made(&call.receiver) && call.args.iter().all(is_literal),
            Expr::Try(tried) => is_made(&tried.expr),
            _ => false,
        }
    }
    match expr {
        Expr::Path(_) => true,
        Expr::Field(field) => is_simple(&field.base),
        Expr::Paren(paren) => is_simple(&paren.expr),
        Expr::Reference(reference) => is_simple(&reference.expr),
        expr => is_made(expr),
    }
}
