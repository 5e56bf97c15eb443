//! The rules of `#[propagate]`: what a body must not call, and what the message says.
//!
//! Nothing fires by a name that a user could own. A function is known by its full path, as written or through a `use`
//! of the body itself (`imports.rs`). What a path does not tell is asked by type: a root under any alias,
//! an imported module `thread` or `task`, a runtime's `block_on`, a timeout (`by_type.rs`), a function of tokio or std
//! that was imported outside of the body (`by_function.rs`). Functions of other crates are told by path alone; the
//! `clippy.toml` lines of the README see the others.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::{Attribute, Block, Error, Expr, ExprPath, Path, Type, parse_quote};

use self::imports::Imports;
use super::args::allow::{self, Allow};
use super::macros::Said;
use crate::errors::Errors;
use crate::krate::Private;

mod by_function;
mod by_type;
mod imports;
mod table;
#[cfg(test)]
mod tests;
mod unparsed;
mod unused;

use self::by_function::Suspect;
pub(crate) use self::by_function::Use;
pub(crate) use self::table::Rule;

/// What an expression may be, by what it looks like before anything in it is rewritten.
#[derive(Default)]
pub(crate) struct Looks {
    known_function: Option<Suspect>,
    blocks: bool,
}

/// What holds around a statement that has a `#[propagate(..)]` of its own.
#[derive(Clone, Copy, Default)]
pub(crate) struct Outside {
    /// How many rules are allowed there.
    allowed: usize,
    said: Said,
}

/// The rules over one body.
pub(crate) struct Rules<'a> {
    private: &'a Private,
    /// Those of the function, then those of the statements around the code at hand.
    allowed: Vec<Allow>,
    /// What the statement around the code at hand says of its macros.
    pub(crate) said: Said,
    /// What allowed nothing, so far.
    unneeded: Vec<Ident>,
    imports: Imports,
    /// The names that patterns bound so far.
    locals: Vec<Ident>,
    errors: Errors,
    /// Whether a root is allowed anywhere in the body.
    allows_roots: bool,
    /// Whether a call was checked by type that `DeriveFromTheCurrentContext` would make ambiguous.
    checked_roots: bool,
    /// Whether a call was asked that the trait of this name answers for other types.
    asks_receivers: bool,
    asks_timeouts: bool,
    asks_functions: bool,
    asks_bindings: bool,
    /// Whether the code at hand has a thread of its own.
    may_block: bool,
    /// Whether the path that is checked next is what a call calls.
    is_callee: bool,
    /// The contexts that nothing may use, of each block around the code at hand.
    unused: Vec<Vec<Ident>>,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(private: &'a Private, allowed: &[Allow]) -> Self {
        Rules {
            private,
            allows_roots: allowed.iter().any(|allow| allow.rule == Rule::DetachedContext),
            allowed: allowed.iter().cloned().map(Allow::wide).collect(),
            said: Said::default(),
            unneeded: Vec::new(),
            imports: Imports::default(),
            locals: Vec::new(),
            errors: Errors::default(),
            checked_roots: false,
            may_block: false,
            asks_receivers: false,
            asks_timeouts: false,
            asks_functions: false,
            asks_bindings: false,
            is_callee: false,
            unused: Vec::new(),
        }
    }

    /// Makes the `use`s of `block` known until [`leave`](Self::leave).
    pub(crate) fn enter(&mut self, block: &Block) {
        self.imports.enter(block);
        self.unused.push(unused::of_block(block));
    }

    pub(crate) fn leave(&mut self) {
        self.imports.leave();
        self.unused.pop();
    }

    /// Takes `#[propagate(..)]` out of the attributes of a statement or expression. What it gives goes to
    /// [`end_allow`](Self::end_allow) behind it.
    pub(crate) fn begin_allow(&mut self, attrs: &mut Vec<Attribute>) -> Outside {
        let outside = self.allowed.len();
        let said = self.said;
        attrs.retain(|attr| {
            let ours = attr.path().segments.last().is_some_and(|last| last.ident == "propagate");
            if ours {
                let (allowed, said) = allow::on_a_statement(attr, &mut self.errors);
                self.allowed.extend(allowed);
                self.said = said.unwrap_or(self.said);
            }
            !ours
        });
        let inside = self.allowed.get(outside..).unwrap_or_default();
        self.allows_roots |= inside.iter().any(|allow| allow.rule == Rule::DetachedContext);
        Outside { allowed: outside, said }
    }

    pub(crate) fn end_allow(&mut self, outside: Outside) {
        self.said = outside.said;
        let over = self.allowed.drain(outside.allowed..);
        self.unneeded.extend(over.filter(|allow| !allow.used).map(|allow| allow.at));
    }

    /// Whether code that breaks `rule`, or may, is right where it is.
    fn allows(&mut self, rule: Rule) -> bool {
        let allow = self.allowed.iter_mut().rev().find(|allow| allow.rule == rule);
        let by_hand = allow.map(|allow| allow.used = true).is_some();
        by_hand || rule == Rule::BlockingCall && self.may_block
    }

    /// Code that may block, or not, comes next. What was before goes to [`end_blocking`](Self::end_blocking) behind it.
    pub(crate) fn begin_blocking(&mut self, may_block: bool) -> bool {
        std::mem::replace(&mut self.may_block, may_block)
    }

    pub(crate) fn end_blocking(&mut self, outside: bool) {
        self.may_block = outside;
    }

    /// Whether what is in `expr` may block: it is a closure for a thread of its own, `spawn_blocking(|| ..)`.
    pub(crate) fn lets_block(&self, expr: &Expr) -> bool {
        const FOR_BLOCKING: [&str; 2] = ["spawn_blocking", "block_in_place"];
        let (name, args) = match expr {
            Expr::Call(call) => match &*call.func {
                Expr::Path(func) => (func.path.segments.last().map(|last| &last.ident), &call.args),
                _ => return self.may_block,
            },
            Expr::MethodCall(call) => (Some(&call.method), &call.args),
            _ => return self.may_block,
        };
        let is_known = name.is_some_and(|name| FOR_BLOCKING.iter().any(|known| name == known));
        self.may_block || is_known && args.iter().any(|arg| matches!(arg, Expr::Closure(_)))
    }

    /// For [`check`](Self::check), once what is in the expression is rewritten.
    pub(crate) fn look(&mut self, expr: &Expr, used: Use) -> Looks {
        match expr {
            Expr::Call(call) => {
                self.is_callee =
                    matches!(&*call.func, Expr::Path(callee) if by_type::may_be_a_root(callee));
                Looks { known_function: self.suspect(call, used), ..Looks::default() }
            }
            Expr::MethodCall(call) => {
                Looks { blocks: by_type::may_block(call), ..Looks::default() }
            }
            _ => Looks::default(),
        }
    }

    /// What the rules say of an expression: an error in its place, so that what follows from it is not reported too,
    /// or the expression with a question about its type.
    pub(crate) fn check(&mut self, expr: &Expr, looks: &Looks, used: Use) -> Option<Expr> {
        match expr {
            Expr::Path(path) => {
                let is_callee = std::mem::take(&mut self.is_callee);
                let known = self.named(path).or_else(|| self.module(path));
                known.or_else(|| if is_callee { None } else { self.makes_roots(path) })
            }
            Expr::Call(call) => self
                .root(call)
                .or_else(|| self.timeout(call))
                .or_else(|| self.function(call, looks.known_function.as_ref()?, used)),
            Expr::MethodCall(call) if looks.blocks => self.receiver(call),
            _ => None,
        }
    }

    /// What is wrong with naming this path in a body, if its name tells.
    fn named(&mut self, path: &ExprPath) -> Option<Expr> {
        let (rule, message) = self.full_names(path).iter().find_map(|name| table::message(name))?;
        if self.allows(rule) {
            return None;
        }
        let error = Error::new_spanned(path, message).to_compile_error();
        // An import of the body is used, as far as it is right.
        let of = match path.qself.as_ref().map(|qself| &*qself.ty) {
            Some(Type::Path(of)) => &of.path,
            _ => &path.path,
        };
        let import = of.segments.first().map(|first| &first.ident);
        let used = import.filter(|name| self.imports.has(name)).map(
            |name| quote_spanned!(Span::mixed_site()=> #[allow(unused_imports)] use #name as _;),
        );
        Some(parse_quote!({ #used #error }))
    }

    /// `a::b::c` as it is known everywhere, without generics; `<a::B>::c` and `<a::B as D>::c` alike.
    fn full_names(&self, path: &ExprPath) -> Vec<String> {
        let of = match path.qself.as_ref().map(|qself| &*qself.ty) {
            None => return self.imports.resolve(&path.path),
            Some(Type::Path(of)) if of.qself.is_none() => self.imports.resolve(&of.path),
            Some(_) => return Vec::new(),
        };
        let last = names(&path.path).pop().unwrap_or_default();
        of.into_iter().map(|of| format!("{of}::{last}")).collect()
    }

    /// Looks for calls by full path in what nobody can parse. The macro is left as it is.
    pub(crate) fn unparsed(&mut self, tokens: &TokenStream) {
        // A root in there is seen by rustc alone.
        self.allows(Rule::DetachedContext);
        for (path, rule, message) in unparsed::calls(tokens) {
            if !self.allows(rule) {
                self.errors.at(path, message);
            }
        }
    }

    /// What a macro that is looked into may still do.
    pub(crate) fn expands_a_macro(&mut self) {
        self.allows(Rule::DetachedContext);
    }

    /// What stands first in the body: errors that have no place in it, and the traits that answer for other types.
    pub(crate) fn prelude(&mut self) -> TokenStream {
        self.end_allow(Outside::default());
        let site = Span::mixed_site();
        let private = self.private.at(site);
        let mut prelude = self.errors.to_token_stream();
        let mut bring = |name: &str| {
            let name = Ident::new(name, site);
            prelude
                .extend(quote_spanned!(site=> #[allow(unused_imports)] use #private::#name as _;));
        };
        if self.checked_roots || self.allows_roots {
            bring("NotOurs");
        } else {
            // For roots made by macros that cannot be looked into. It would make the calls that were checked, and
            // those that are allowed, ambiguous.
            bring("DeriveFromTheCurrentContext");
        }
        if self.asks_receivers {
            bring("NotARuntime");
        }
        if self.asks_timeouts {
            bring("Timeout");
            bring("NotATimeout");
        }
        if self.asks_functions {
            bring("AnotherFunction");
        }
        if self.asks_bindings {
            bring("Derived");
            bring("NotAContext");
        }
        for at in &self.unneeded {
            let private = self.private.at(at.span());
            prelude.extend(quote_spanned!(at.span()=> #private::Allow::unneeded();));
        }
        prelude
    }
}

/// The names of the path, without generics.
fn names(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect()
}

/// Whether the token is this punctuation.
fn is_punct(token: Option<&TokenTree>, of: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == of)
}
