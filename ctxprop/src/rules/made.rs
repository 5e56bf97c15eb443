//! Is what a body made a client that sends nothing of the context?
//!
//! This crate knows no client. The crate that has the better one says which those are, for a type of its own in place
//! of `By`, without which it could say nothing of other people's types.

use std::marker::PhantomData;

/// What `new`, `builder` or `default` gave.
#[derive(Debug)]
pub struct Made<T>(PhantomData<fn() -> T>);

impl<T> Made<T> {
    #[inline]
    pub const fn of(_: &T) -> Self {
        Made(PhantomData)
    }
}

/// A client, or what builds one, that a client of `By`'s crate should stand in for.
pub trait BareClient<By> {}

/// The answer for clients.
pub trait AClient<By>: Sized {
    type Of;

    fn client(self)
    where
        Self::Of: TellsTheNextHop,
    {
    }
}

impl<T: BareClient<By>, By> AClient<By> for Made<T> {
    type Of = T;
}

/// The answer for all else.
pub trait NoClient: Sized {
    fn client(self) {}
}

impl<T> NoClient for &Made<T> {}

/// Implemented by nothing: its absence is the message.
#[diagnostic::on_unimplemented(
    message = "[bare-client] this client tells the next hop nothing of the request: neither how long it may take nor which trace it belongs to",
    label = "use `ctxprop_reqwest::Client`, which is made and called as reqwest's",
    note = "if it is right as it is: `#[propagate(allow(bare_client, reason = \"..\"))]` on the function or the statement"
)]
pub trait TellsTheNextHop {}
