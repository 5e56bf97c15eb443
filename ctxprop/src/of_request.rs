//! Which context a request has that carries one in its extensions, as requests of `http` do.
//!
//! Who put it there is a layer of another crate.

use http::Extensions;

use crate::ctx::Ctx;

/// The context of a request with these extensions: of the one that was put there and the one of the scope that runs the
/// narrower, so that middleware may derive one in either way.
#[doc(hidden)]
pub fn of_request(extensions: &Extensions) -> Option<Ctx> {
    let given = extensions.get::<Ctx>();
    match (given, Ctx::try_current()) {
        (Some(given), Some(current)) if given.descends_from(&current) => Some(given.clone()),
        (_, Some(current)) => Some(current),
        (given, None) => given.cloned(),
    }
}
