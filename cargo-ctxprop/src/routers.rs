//! Finds the chains `Router::new().route(..)` of a file. It knows the methods of axum's `Router` by name.

use std::ops::Range;

use syn::spanned::Spanned;
use syn::{Expr, ExprMethodCall};

/// One chain.
#[derive(Debug, Clone)]
pub(crate) struct Router {
    pub(crate) start: usize,
    /// Behind the last method that gives a router.
    pub(crate) end: usize,
    /// The dot before that method.
    pub(crate) last_dot: usize,
    /// Whether it has routes at all.
    pub(crate) routes: bool,
    /// Whether it stands in the arguments of another router's `nest` or `merge`.
    pub(crate) nested: bool,
    /// The variable it is bound to.
    pub(crate) name: Option<String>,
}

const GIVE_ROUTERS: &[&str] = &[
    "route",
    "route_service",
    "nest",
    "nest_service",
    "merge",
    "layer",
    "route_layer",
    "fallback",
    "fallback_service",
    "method_not_allowed_fallback",
    "with_state",
    "without_v07_checks",
];

const HAVE_ROUTES: &[&str] = &["route", "nest", "merge", "fallback"];

/// Methods whose arguments are routers too.
pub(crate) const NEST: &[&str] = &["nest", "merge", "nest_service", "fallback_service"];

/// The chain that `call` is the end of, if it is one.
pub(crate) fn chain(
    call: &ExprMethodCall,
    range: impl Fn(proc_macro2::Span) -> Range<usize>,
) -> Option<Router> {
    let mut links = vec![call];
    let mut base = &*call.receiver;
    while let Expr::MethodCall(inner) = base {
        links.push(inner);
        base = &inner.receiver;
    }
    let Expr::Call(new) = base else { return None };
    let Expr::Path(path) = &*new.func else { return None };
    let mut segments = path.path.segments.iter().rev();
    let is_router = segments.next()?.ident == "new" && segments.next()?.ident == "Router";
    if !is_router {
        return None;
    }
    let is = |link: &&&ExprMethodCall, names: &[&str]| names.iter().any(|name| link.method == name);
    let links: Vec<_> = links.iter().rev().take_while(|link| is(link, GIVE_ROUTERS)).collect();
    let last = links.last()?;
    Some(Router {
        start: range(base.span()).start,
        end: range(last.span()).end,
        last_dot: range(last.dot_token.span()).start,
        routes: links.iter().any(|link| is(link, HAVE_ROUTES)),
        nested: false,
        name: None,
    })
}

/// The names in an argument of `nest` or `merge` that give the router: a variable, or the functions that are called.
pub(crate) fn names(argument: &Expr, names: &mut Vec<String>) {
    match argument {
        Expr::Path(path) => {
            names.extend(path.path.segments.last().map(|last| last.ident.to_string()));
        }
        Expr::Call(call) => self::names(&call.func, names),
        Expr::MethodCall(call) => {
            names.push(call.method.to_string());
            self::names(&call.receiver, names);
        }
        _ => {}
    }
}
