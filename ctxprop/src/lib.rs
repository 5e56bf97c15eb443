//! Request context for async Rust that crosses functions, tasks and networks.

#[cfg(feature = "axum")]
mod axum;
mod baggage;
#[doc(hidden)]
#[allow(missing_docs, reason = "only generated code uses it")]
pub mod body;
mod cancel;
mod cause;
mod ctx;
mod current;
mod deadline;
pub mod detached;
#[doc(hidden)]
#[allow(missing_docs, reason = "only generated code uses it")]
pub mod field;
mod leaf;
mod needs_ctx;
mod on_done;
mod scope;
#[doc(hidden)]
pub mod select;
mod shield;
mod slots;
mod span;
mod task;
pub mod trust;
mod value;
mod watch;
pub mod wire;

#[doc(hidden)]
pub mod __private;

#[cfg(feature = "axum")]
pub use axum::MissingLayer;
pub use baggage::{
    Baggage, BaggageError, BaggageErrorKind, BaggageMap, BaggageMapBuilder, MAX_BAGGAGE_BYTES,
    MAX_BAGGAGE_MEMBERS,
};
pub use cancel::{CancelGuard, Canceller};
pub use cause::{Cancelled, Cause};
pub use ctx::{Background, Ctx};
/// Derives [`Baggage`](trait@Baggage) for a struct with named fields: each travels under its own key.
///
/// ```
/// use ctxprop::{Background, Baggage, Ctx};
///
/// #[derive(Baggage, Debug, PartialEq)]
/// struct Caller {
///     #[baggage(key = "user.id", max_len = 20)]
///     user_id: u64,
///     tenant: Option<String>,
///     #[baggage(default = 1)]
///     attempt: u32,
///     #[baggage(private)]
///     email: String,
///     #[baggage(skip)]
///     cached: bool,
/// }
///
/// let caller = Caller {
///     user_id: 7,
///     tenant: None,
///     attempt: 1,
///     email: "me@example.com".to_owned(),
///     cached: false,
/// };
/// let ctx = Ctx::background().with_baggage(&caller)?;
/// assert_eq!(ctx.baggage_map().header_lines()[0], "user.id=7,attempt=1,email=me@example.com");
/// assert_eq!(ctx.baggage::<Caller>()?, caller);
/// # Ok::<(), ctxprop::BaggageError>(())
/// ```
///
/// # Fields
///
/// The type of a field is anything with [`FromStr`](std::str::FromStr) and
/// [`Display`](std::fmt::Display), or an `Option` of that. What `Display` writes, `FromStr` has to
/// read; it may be any text, which is percent-encoded on the wire.
///
/// | type | read, where the key is absent | written |
/// | --- | --- | --- |
/// | `T` | an error, unless there is a `default` | in place of what is there under the key |
/// | `Option<T>` | `None` | `None` removes what is there under the key |
///
/// An `Option` is one by its name: `Option<T>` under whatever path, and not through an alias.
///
/// # Attributes of fields
///
/// | `#[baggage(..)]` | meaning |
/// | --- | --- |
/// | `key = "user.id"` | the key, a token (RFC 9110, section 5.6.2); without it, the name of the field |
/// | `max_len = 32` | the most bytes of the value in UTF-8, before it is encoded for the wire; more is an error, read or written |
/// | `default` | what is absent is the [`Default`] of its type; it is still written |
/// | `default = value` | what is absent is this, any expression |
/// | `private` | must not leave the mesh, see [`BaggageMap::without_private`] |
/// | `skip` | neither read nor written; always the [`Default`] of its type |
///
/// Two fields with one key, and a key that is no token, do not compile:
///
/// ```compile_fail
/// #[derive(ctxprop::Baggage)]
/// struct Caller {
///     #[baggage(key = "user id")] // error: `user id` cannot be a key
///     user: u64,
/// }
/// ```
///
/// # Attributes of the struct
///
/// `#[baggage(crate = path::to::ctxprop)]` says where this crate is, if not at `::ctxprop`.
///
/// # Generics
///
/// A type parameter that is the type of a field gets the bounds it needs, as with the derives of the
/// standard library. What borrows is refused, unless it is skipped: there is nothing to borrow from.
///
/// # Errors
///
/// The first field at fault, in the order of the struct, gives the [`BaggageError`]: its key is absent
/// (`Missing`), its value is not a `T` (`Invalid`, which names the type as written) or is longer than
/// `max_len` (`TooLong`). A value that is there and wrong is an error for an `Option` and with a
/// `default` too. Errors name the key and never hold the value.
#[cfg(feature = "macros")]
pub use ctxprop_macros::Baggage;
#[cfg(feature = "macros")]
pub use ctxprop_macros::propagate;
pub use needs_ctx::{Awaitable, NeedsCtx};
pub use on_done::Registration;
pub use scope::{Run, Scope};
pub use shield::{Shield, Shielding};
pub use span::{
    MAX_TRACE_STATE_BYTES, MAX_TRACE_STATE_MEMBERS, ParseIdError, SpanContext, SpanId, TraceFlags,
    TraceId, TraceState, TraceStateError,
};
pub use task::Task;
pub use watch::Done;
