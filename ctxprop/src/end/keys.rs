//! Where one waker is registered with several ends.

use super::waiters::Key;

/// So many need no allocation: a context has few ends above it.
const FEW: usize = 4;

/// The places of one waker with several ends, in the order in which it was registered with them.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    few: [Option<Key>; FEW],
    more: Vec<Key>,
}

impl Keys {
    pub(crate) const fn new() -> Keys {
        Keys { few: [None; FEW], more: Vec::new() }
    }

    pub(crate) fn push(&mut self, key: Key) {
        match self.few.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(key),
            None => self.more.push(key),
        }
    }

    /// Takes all out, in their order.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Key> + use<> {
        let Keys { few, more } = std::mem::take(self);
        few.into_iter().flatten().chain(more)
    }
}
