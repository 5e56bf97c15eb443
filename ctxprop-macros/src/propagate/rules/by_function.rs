//! A function that was imported outside of the body, under whatever name: is it one that a rule is about?
//!
//! That is a question about its type (`ctxprop::questions::function`), which takes the compiler time. So it is asked only
//! where the answer may be yes: of functions of modules, of one argument, that could take this one.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprCall, ExprPath};

use super::Rules;
use super::by_type::is_of_duration;
use super::table::Rule;
use crate::krate::PrivateAt;

/// What becomes of the value of an expression, as far as it matters here.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Use {
    #[default]
    Any,
    /// It is awaited at once: most such calls are of async functions.
    Awaited,
    /// Nothing: it is a statement.
    Dropped,
}

/// A function that this rule is about.
#[derive(Clone, Copy, PartialEq, Eq)]
struct KnownFunction {
    name: &'static str,
    /// As the core's module `known` has it.
    path: &'static str,
    rule: Rule,
    /// What is asked of its type.
    asked: &'static str,
}

/// A call of what may be a known function.
pub(crate) struct Suspect {
    known: Vec<KnownFunction>,
    /// Whether its argument is a closure or an async block.
    takes_code: bool,
}

const fn spawns(name: &'static str, path: &'static str, asked: &'static str) -> KnownFunction {
    KnownFunction { name, path, rule: Rule::DetachedTask, asked }
}

const SPAWN: KnownFunction = spawns("spawn", "spawn", "spawn");
const SPAWN_LOCAL: KnownFunction = spawns("spawn_local", "spawn_local", "spawn");
const SPAWN_BLOCKING: KnownFunction = spawns("spawn_blocking", "spawn_blocking", "spawn_blocking");
const SPAWN_THREAD: KnownFunction = spawns("spawn", "spawn_thread", "spawn_blocking");
const SLEEP: KnownFunction =
    KnownFunction { name: "sleep", path: "sleep", rule: Rule::BlockingCall, asked: "sleep" };
const ALL: [KnownFunction; 5] = [SPAWN, SPAWN_LOCAL, SPAWN_BLOCKING, SPAWN_THREAD, SLEEP];

/// Crates whose functions are known by path.
const BY_PATH: &[&str] = &["std", "core", "alloc", "tokio", "futures"];

impl Rules<'_> {
    /// Notes a name that a pattern binds. No local is one of the functions, and it may be a closure that a question
    /// would move.
    pub(crate) fn binds(&mut self, name: &Ident) {
        self.locals.push(name.clone());
    }

    /// Whether a pattern bound it, so far.
    pub(crate) fn is_local(&self, name: &Ident) -> bool {
        self.locals.contains(name)
    }

    /// Whether the call may be of a known function, as written.
    pub(super) fn suspect(&self, call: &ExprCall, used: Use) -> Option<Suspect> {
        let Expr::Path(function) = &*call.func else { return None };
        let argument = call.args.first().filter(|_| call.args.len() == 1)?;
        let name = &function.path.segments.last()?.ident;
        let known = Some(candidates(name, argument, used)).filter(|known| !known.is_empty())?;
        let takes_code = matches!(argument, Expr::Closure(_) | Expr::Async(_));
        self.may_be_known(function).then_some(Suspect { known, takes_code })
    }

    /// `f(argument)`: is `f` what it is suspected to be?
    pub(super) fn function(
        &mut self,
        call: &ExprCall,
        suspect: &Suspect,
        used: Use,
    ) -> Option<Expr> {
        let Expr::Path(function) = &*call.func else { return None };
        let (name, argument) = (&function.path.segments.last()?.ident, call.args.first()?);
        let mut asked = None;
        for known in &suspect.known {
            if !self.allows(known.rule) {
                let inner = asked.unwrap_or_else(|| function.to_token_stream());
                asked = Some(self.question(&inner, name.span(), *known));
            }
        }
        let asked = asked?;
        self.asks_functions = true;
        let private = self.private.at(Span::mixed_site());
        Some(match used {
            // What is expected of a closure or block is said by the function that it is given to, and nothing between.
            Use::Dropped if !suspect.takes_code => {
                Expr::Verbatim(dropped(call, argument, &asked, &private))
            }
            // With the parentheses of the user: that is where a `#[track_caller]` says it was called.
            _ => Expr::Call(ExprCall { func: Box::new(Expr::Verbatim(asked)), ..call.clone() }),
        })
    }

    fn may_be_known(&self, function: &ExprPath) -> bool {
        let mut names =
            function.path.segments.iter().rev().map(|segment| segment.ident.to_string());
        let lower = |name: &String| name.starts_with(|first: char| !first.is_uppercase());
        let (last, of) = (names.next(), names.next());
        let first = function.path.segments.first();
        function.qself.is_none()
            && function.path.leading_colon.is_none()
            && last.is_some_and(|name| lower(&name))
            // What is in a type is none of them.
            && of.as_ref().is_none_or(lower)
            && first.is_some_and(|first| match of {
                None => !self.locals.contains(&first.ident),
                Some(_) => !BY_PATH.iter().any(|known| first.ident == known),
            })
    }

    /// What gives `function` once it is asked, all at one place, so that the message is about that.
    fn question(&self, function: &TokenStream, site: Span, known: KnownFunction) -> TokenStream {
        let private = self.private.at(site);
        let (path, asked) = (Ident::new(known.path, site), Ident::new(known.asked, site));
        quote_spanned!(site=> #private::Function::beside(#function, #private::known::#path).#asked())
    }
}

/// The known functions that `function` may be, called with `argument`.
///
/// Another name is looked behind only where the argument speaks for it: most functions that are called with a variable
/// are none of these.
fn candidates(function: &Ident, argument: &Expr, used: Use) -> Vec<KnownFunction> {
    let by_argument: &[KnownFunction] = match argument {
        Expr::Closure(closure) if closure.inputs.is_empty() && closure.asyncness.is_none() => {
            &[SPAWN_BLOCKING, SPAWN_THREAD]
        }
        Expr::Async(_) => &[SPAWN, SPAWN_LOCAL],
        Expr::Call(call) if makes_a_duration(call) => &[SLEEP],
        Expr::Call(_) | Expr::MethodCall(_) if used != Use::Awaited => &[SPAWN, SPAWN_LOCAL],
        _ => &[],
    };
    let by_name: &[KnownFunction] = match argument {
        Expr::Path(_) | Expr::Field(_) | Expr::Call(_) | Expr::MethodCall(_) | Expr::Binary(_) => {
            &ALL
        }
        _ => &[],
    };
    let named =
        by_name.iter().filter(|known| function == known.name && !by_argument.contains(known));
    by_argument.iter().chain(named).copied().collect()
}

/// `Duration::from_millis(n)`
fn makes_a_duration(call: &ExprCall) -> bool {
    matches!(&*call.func, Expr::Path(of) if is_of_duration(&of.path))
}

/// `f(argument);` as written, for a `#[must_use]` of `f`; what is asked stands before it, in a call that never runs but
/// says what the generics of `f` are. What is around it is shown where `f` is: of an argument that diverges, or an `f`
/// that does, rustc says that what follows is unreachable.
fn dropped(
    call: &ExprCall,
    argument: &Expr,
    asked: &TokenStream,
    private: &PrivateAt<'_>,
) -> TokenStream {
    let site = Span::mixed_site().located_at(call.func.span());
    let written = Ident::new("argument", Span::mixed_site().located_at(argument.span()));
    let attrs = &call.attrs;
    let mut call = ExprCall { attrs: Vec::new(), ..call.clone() };
    if let Expr::Path(_) | Expr::Field(_) = argument {
        return quote_spanned! {site=> #(#attrs)* {
            if false {
                #[allow(unreachable_code)]
                #private::never(#asked(#argument))
            }
            #call;
        }};
    }
    call.args = [Expr::Verbatim(written.to_token_stream())].into_iter().collect();
    quote_spanned! {site=> #(#attrs)* {
        match #argument {
            #written => {
                if false {
                    #[allow(unreachable_code)]
                    #private::never(#asked(#written))
                }
                #call;
            }
        }
    }}
}
