//! Handlers that do not name their context.
//!
//! What is here for each number of parameters mirrors axum's own `Handler` for functions, which takes only those that
//! give futures.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use axum::handler::Handler;
use axum_core::extract::{FromRequest, FromRequestParts, Request};
use axum_core::response::{IntoResponse, Response};
use ctxprop::__private::of_request;
use ctxprop::{Awaitable, MissingLayer, NeedsCtx};

/// Makes a handler of a `#[propagate]` function without a `Ctx` parameter.
///
/// Such a function gives a `NeedsCtx`, which is no future, so axum does not take it as it is. This gives it the context
/// of the request. Its parameters are extractors as in any handler, up to 16, of which the last may take the body.
///
/// The extractors run under the context too: one that is still reading the body when the context ends is dropped, and
/// the answer is that of [`Cancelled`](ctxprop::Cancelled). The handler unwinds then, and its own answer counts.
/// Without a [`CtxLayer`](crate::CtxLayer) the answer is that of [`MissingLayer`]: 500.
///
/// # Examples
///
/// ```
/// use axum::extract::Path;
/// use axum::routing::get;
/// use axum::{Json, Router};
/// use ctxprop::{Cancelled, propagate};
/// use ctxprop_axum::{CtxLayer, handler};
///
/// #[propagate]
/// async fn cart(Path(id): Path<u64>) -> Result<Json<u64>, Cancelled> {
///     Ok(Json(id))
/// }
///
/// let app: Router =
///     Router::new().route("/cart/{id}", get(handler(cart))).layer(CtxLayer::edge());
/// # drop(app);
/// ```
///
/// Forgotten, the function is no handler:
///
/// ```compile_fail
/// # use axum::{Router, routing::get};
/// # use ctxprop::propagate;
/// #[propagate]
/// async fn health() -> &'static str {
///     "ok"
/// }
///
/// // error: .. is not implemented for fn item `fn() -> NeedsCtx<..> {health}`
/// let app: Router = Router::new().route("/health", get(health));
/// ```
pub fn handler<F, T>(function: F) -> CtxHandler<F>
where
    F: NeedsCtxFn<T>,
{
    CtxHandler { handler: function }
}

/// A handler that is given the context of its request: see [`handler`].
#[derive(Clone, Copy)]
pub struct CtxHandler<F> {
    pub(crate) handler: F,
}

impl<F> fmt::Debug for CtxHandler<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CtxHandler").finish_non_exhaustive()
    }
}

/// A function of the parameters `T` that gives a [`NeedsCtx`]. It is here for the message where one does not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no `#[propagate]` function without a `Ctx` parameter",
    label = "`handler` takes a function that returns `NeedsCtx<..>`",
    note = "a handler that names its context, or has no `#[propagate]`, needs no `handler`: give it to the route as it is"
)]
pub trait NeedsCtxFn<T> {}

type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Runs what extracts and handles under the context of the request.
fn under_its_context<W>(request: Request, work: impl FnOnce(Request) -> W) -> Answer
where
    W: Future<Output = Response> + Send + 'static,
{
    match of_request(request.extensions()) {
        Some(ctx) => {
            let work = ctx.run(work(request));
            Box::pin(async move { work.await.unwrap_or_else(IntoResponse::into_response) })
        }
        None => Box::pin(async { MissingLayer::default().into_response() }),
    }
}

impl<F, Fut> NeedsCtxFn<()> for F where F: FnOnce() -> NeedsCtx<Fut> {}

impl<F, Fut, S> Handler<((),), S> for CtxHandler<F>
where
    F: FnOnce() -> NeedsCtx<Fut> + Clone + Send + Sync + 'static,
    Fut: Future<Output: IntoResponse> + Send,
{
    type Future = Answer;

    fn call(self, request: Request, _: S) -> Answer {
        under_its_context(request, |_| async move {
            (self.handler)().into_awaited().await.into_response()
        })
    }
}

macro_rules! handlers {
    ($([$($ty:ident)*] $last:ident;)*) => {$(
        impl<F, Fut, $($ty,)* $last> NeedsCtxFn<($($ty,)* $last,)> for F
        where
            F: FnOnce($($ty,)* $last) -> NeedsCtx<Fut>,
        {
        }

        #[allow(non_snake_case, unused_mut, reason = "a type and its value share a name")]
        impl<F, Fut, S, M, $($ty,)* $last> Handler<(M, $($ty,)* $last,), S> for CtxHandler<F>
        where
            F: FnOnce($($ty,)* $last) -> NeedsCtx<Fut> + Clone + Send + Sync + 'static,
            Fut: Future<Output: IntoResponse> + Send,
            S: Send + Sync + 'static,
            $($ty: FromRequestParts<S> + Send,)*
            $last: FromRequest<S, M> + Send,
        {
            type Future = Answer;

            fn call(self, request: Request, state: S) -> Answer {
                under_its_context(request, |request| async move {
                    let (mut parts, body) = request.into_parts();
                    $(
                        let $ty = match $ty::from_request_parts(&mut parts, &state).await {
                            Ok(value) => value,
                            Err(rejection) => return rejection.into_response(),
                        };
                    )*
                    let request = Request::from_parts(parts, body);
                    let $last = match $last::from_request(request, &state).await {
                        Ok(value) => value,
                        Err(rejection) => return rejection.into_response(),
                    };
                    (self.handler)($($ty,)* $last).into_awaited().await.into_response()
                })
            }
        }
    )*};
}

handlers! {
    [] T1;
    [T1] T2;
    [T1 T2] T3;
    [T1 T2 T3] T4;
    [T1 T2 T3 T4] T5;
    [T1 T2 T3 T4 T5] T6;
    [T1 T2 T3 T4 T5 T6] T7;
    [T1 T2 T3 T4 T5 T6 T7] T8;
    [T1 T2 T3 T4 T5 T6 T7 T8] T9;
    [T1 T2 T3 T4 T5 T6 T7 T8 T9] T10;
    [T1 T2 T3 T4 T5 T6 T7 T8 T9 T10] T11;
    [T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11] T12;
    [T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12] T13;
    [T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13] T14;
    [T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14] T15;
    [T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14 T15] T16;
}
