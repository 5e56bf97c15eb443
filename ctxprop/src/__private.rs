//! All that the macros name, and nothing else. Not public API: it may change in any release.
//!
//! Each item is defined where it belongs, under a path that reads well in the compiler's messages. Its
//! re-export is hidden one by one, because that is what makes rustc print the other path.

macro_rules! hidden {
    ($(pub use $($path:ident)::+;)*) => {
        $(#[doc(hidden)] pub use $($path)::+;)*
    };
}

hidden! {
    pub use std::clone::Clone;
    pub use std::default::Default;
    pub use std::fmt;
    pub use std::future::Future;
    pub use std::marker::Send;
    pub use std::marker::Sync;
    pub use std::ops::ControlFlow;
    pub use std::option::Option;
    pub use std::option::Option::None;
    pub use std::option::Option::Some;
    pub use std::primitive::str;
    pub use std::primitive::usize;
    pub use std::result::Result;
    pub use std::result::Result::Err;
    pub use std::result::Result::Ok;
    pub use std::string::String;

    pub use crate::baggage::Baggage;
    pub use crate::baggage::BaggageError;
    pub use crate::baggage::BaggageMap;
    pub use crate::baggage::BaggageMapBuilder;
    pub use crate::async_block::block_here;
    pub use crate::async_block::block_called;
    pub use crate::async_block::block_under;
    pub use crate::body::Awaited;
    pub use crate::body::BoxFuture;
    pub use crate::body::Budget;
    pub use crate::body::CannotBeSaid;
    pub use crate::body::CannotSayCancelled;
    pub use crate::body::Carried;
    pub use crate::body::Gives;
    pub use crate::body::given;
    pub use crate::body::How;
    pub use crate::body::AwaitedKind;
    pub use crate::body::Name;
    pub use crate::body::NotAssignedInside;
    pub use crate::body::NotLent;
    pub use crate::body::NoFuture;
    pub use crate::body::OtherName;
    pub use crate::body::Rebound;
    pub use crate::body::Returns;
    pub use crate::body::at;
    pub use crate::body::boxed;
    pub use crate::body::derived;
    pub use crate::body::leaf;
    pub use crate::body::leaf_under;
    pub use crate::body::needs_ctx;
    pub use crate::body::nothing_failed;
    pub use crate::body::of_one_type;
    pub use crate::body::returned;
    pub use crate::body::says_cancelled;
    pub use crate::body::says_cancelled_as;
    pub use crate::body::InBlock;
    pub use crate::body::scope;
    pub use crate::body::under;
    pub use crate::ctx::Background;
    pub use crate::ctx::Ctx;
    pub use crate::detached::DeriveFromTheCurrentContext;
    pub use crate::detached::MakesRoots;
    pub use crate::detached::NotOurs;
    pub use crate::detached::Root;
    pub use crate::detached::StaysInItsContext;
    pub use crate::baggage_field::Text;
    pub use crate::baggage_field::default;
    pub use crate::baggage_field::limits::Keys;
    pub use crate::baggage_field::limits::bounded;
    pub use crate::baggage_field::limits::fits;
    pub use crate::baggage_field::limits::total;
    pub use crate::baggage_field::limits::longest;
    pub use crate::baggage_field::limits::unique;
    pub use crate::baggage_field::field;
    pub use crate::baggage_field::mistaken;
    pub use crate::in_span::in_span;
    pub use crate::in_span::open_span;
    pub use crate::in_span::parent_id;
    pub use crate::in_span::span_id;
    pub use crate::in_span::trace_id;
    pub use crate::local::LocalBoxFuture;
    pub use crate::local::boxed_local;
    pub use crate::needs_ctx::NeedsCtx;
    pub use crate::questions::Allow;
    pub use crate::questions::AnotherFunction;
    pub use crate::questions::Bound;
    pub use crate::questions::Derived;
    pub use crate::questions::DoesNotBlock;
    pub use crate::questions::Function;
    pub use crate::questions::Literal;
    pub use crate::questions::Module;
    pub use crate::questions::NotAContext;
    pub use crate::questions::NotARuntime;
    pub use crate::questions::NotATimeout;
    pub use crate::questions::Receiver;
    pub use crate::questions::StaysInTheRequest;
    pub use crate::questions::Timeout;
    pub use crate::questions::known;
    pub use crate::questions::never;
    pub use crate::questions::no_known_module;
    pub use crate::run::join::cons;
    pub use crate::run::join::join;
    pub use crate::run::join::nil;
    pub use crate::run::join::try_join;
    pub use crate::run::select::CannotBeKept;
    pub use crate::run::select::Choice;
    pub use crate::run::select::Raced;
    pub use crate::run::select::all_complete;
    pub use crate::run::select::disabled;
    pub use crate::run::select::fused;
    pub use crate::run::select::none_left;
    pub use crate::run::select::or;
    pub use crate::run::select::select;
    pub use crate::run::select::tied;
    pub use crate::run::select::was_taken;
}

/// Whether what is awaited has more to it, since the feature `observe` is on: cargo turns that on for a whole workspace.
#[doc(hidden)]
pub const OBSERVES: bool = cfg!(feature = "observe");

/// For the extractors and layers of the server crates.
#[doc(hidden)]
pub use crate::of_request::of_request;
#[doc(hidden)]
pub use crate::run::bound::{has_ended, is_waited_for};

/// For the spans of `#[propagate(span)]`, so that users need not depend on it.
#[doc(hidden)]
pub use tracing;

/// The macro under the name of another, which `#[automock]` knows: it copies an attribute of this name, and no other, to
/// the `impl` that it writes.
#[doc(hidden)]
#[cfg(feature = "macros")]
pub use ctxprop_macros::propagate as async_trait;
