//! Where one waker is registered with several ends.

use super::waiters::Key;

/// The places of one waker with several ends, in the order in which it was registered with them. One needs no
/// allocation.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    first: Option<Key>,
    #[allow(
        clippy::box_collection,
        reason = "one word in every scope, not three, and seldom used"
    )]
    more: Option<Box<Vec<Key>>>,
}

impl Keys {
    pub(crate) const fn new() -> Keys {
        Keys { first: None, more: None }
    }

    pub(crate) fn push(&mut self, key: Key) {
        match self.first {
            None => self.first = Some(key),
            Some(_) => self.more.get_or_insert_default().push(key),
        }
    }

    /// Takes all out, in their order.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Key> + use<> {
        let more = self.more.take().map_or_else(Vec::new, |more| *more);
        self.first.take().into_iter().chain(more)
    }
}
