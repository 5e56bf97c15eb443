//! axum's routing functions, for handlers of both forms: those that name their context, and `#[propagate]` functions that do
//! not. With these in place of axum's nothing needs [`handler`](crate::handler()) but a chained `.post(..)`.
//!
//! Which form a function has is told by its type, through a marker that is inferred.

use std::convert::Infallible;

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter};

use crate::CtxHandler;

/// Markers for the two forms.
mod form {
    /// A handler as it stands.
    #[derive(Debug)]
    pub struct Plain;

    /// A function that needs a context.
    #[derive(Debug)]
    pub struct NeedsCtx;
}

mod sealed {
    pub trait Sealed<M, T, S> {}
}

/// What the routing functions take: a handler, or a `#[propagate]` function without a `Ctx` parameter. It cannot be
/// implemented elsewhere; a handler of one's own is one by axum's [`Handler`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handler",
    label = "neither a handler nor a `#[propagate]` function whose parameters are extractors",
    note = "only the last parameter may take the body, and what it returns is an answer: `#[axum::debug_handler]` tells more"
)]
pub trait IntoHandler<M, T, S>: sealed::Sealed<M, T, S> {
    /// The handler that it is, or becomes.
    type Handler: Handler<T, S>;

    /// Makes it.
    fn into_handler(self) -> Self::Handler;
}

impl<H: Handler<T, S>, T, S> sealed::Sealed<form::Plain, T, S> for H {}

impl<H: Handler<T, S>, T, S> IntoHandler<form::Plain, T, S> for H {
    type Handler = H;

    fn into_handler(self) -> H {
        self
    }
}

impl<F, T, S> sealed::Sealed<form::NeedsCtx, T, S> for F where CtxHandler<F>: Handler<T, S> {}

impl<F, T, S> IntoHandler<form::NeedsCtx, T, S> for F
where
    CtxHandler<F>: Handler<T, S>,
{
    type Handler = CtxHandler<F>;

    fn into_handler(self) -> CtxHandler<F> {
        CtxHandler { handler: self }
    }
}

macro_rules! routes {
    ($($name:ident $method:literal;)*) => {$(
        #[doc = concat!("Routes ", $method, " requests to `handler`, as axum's function of this name.")]
        ///
        /// # Examples
        ///
        /// ```
        /// use axum::Router;
        /// use axum::extract::Path;
        /// use ctxprop::{Cancelled, Ctx, propagate};
        #[doc = concat!("use ctxprop_axum::routing::", stringify!($name), ";")]
        ///
        /// #[propagate]
        /// async fn item(Path(id): Path<u64>) -> Result<String, Cancelled> {
        ///     Ok(id.to_string())
        /// }
        ///
        /// #[propagate]
        /// async fn named(ctx: Ctx) -> Result<String, Cancelled> {
        ///     ctx.check().map(|()| String::new())
        /// }
        ///
        /// let app: Router = Router::new()
        #[doc = concat!("    .route(\"/{id}\", ", stringify!($name), "(item))")]
        #[doc = concat!("    .route(\"/\", ", stringify!($name), "(named));")]
        /// # drop(app);
        /// ```
        pub fn $name<M, H, T, S>(handler: H) -> MethodRouter<S, Infallible>
        where
            H: IntoHandler<M, T, S>,
            T: 'static,
            S: Clone + Send + Sync + 'static,
        {
            axum::routing::$name(handler.into_handler())
        }
    )*};
}

routes! {
    any "all";
    connect "`CONNECT`";
    delete "`DELETE`";
    get "`GET` and `HEAD`";
    head "`HEAD`";
    options "`OPTIONS`";
    patch "`PATCH`";
    post "`POST`";
    put "`PUT`";
    trace "`TRACE`";
}

/// Routes requests of the methods in `filter` to `handler`, as axum's function of this name.
pub fn on<M, H, T, S>(filter: MethodFilter, handler: H) -> MethodRouter<S, Infallible>
where
    H: IntoHandler<M, T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    axum::routing::on(filter, handler.into_handler())
}
