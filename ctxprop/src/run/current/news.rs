//! What a leaf looks at beyond what it awaits: that the end is known, that it is not to begin, and now and then the clock.
//! `current.rs`, invariant 4.

use super::{HERE, POLLS, QUIET, REFUSED, SEEN, UNSETTLED, here, is_set, look_at_the_clock};
use crate::fault::{Fault, planted};

/// Whether the scope knew of its end before it polled what is inside.
#[inline]
pub(crate) fn seen() -> bool {
    here().news.get() & SEEN != 0
}

/// What is inside has not had its unwinding: nothing around it is given up in this poll, whoever else was told of the end.
#[cold]
pub(crate) fn unsettle() {
    if is_set() && !planted(Fault::GivesUpWhatIsUnsettled) {
        let here = here();
        here.news.set(here.news.get() & !SEEN | UNSETTLED);
        here.left.set(1);
    }
}

/// Whether it [was](unsettle): whoever would give something up has to be polled once more.
#[cold]
pub(crate) fn is_unsettled() -> bool {
    here().news.get() & UNSETTLED != 0
}

/// The leaf that is polled next does not begin.
#[cold]
pub(crate) fn refuse() {
    HERE.with(|here| {
        here.news.set(here.news.get() | REFUSED);
        here.left.set(1);
    });
}

/// Whether the leaf that is polled is one that does not begin.
#[cold]
pub(crate) fn is_refused() -> bool {
    HERE.with(|here| {
        let news = here.news.get();
        here.news.set(news & !REFUSED);
        news & REFUSED != 0
    })
}

/// Counts the polls of leaves. True where this one has to look at [the news](has_news).
#[inline]
pub(crate) fn polls_a_leaf() -> bool {
    HERE.with(|here| {
        let left = here.left.get().wrapping_sub(1);
        here.left.set(left);
        left == 0
    })
}

/// The same for what looks at the news by itself.
#[inline]
pub(crate) fn counts_a_leaf() {
    if polls_a_leaf() {
        has_news();
    }
}

/// Whether there is news. Else it was so many polls that it looks at the clock, so that the next leaf finds the end.
#[cold]
#[inline(never)]
pub(crate) fn has_news() -> bool {
    let news = HERE.with(|here| {
        let news = here.news.get() != QUIET;
        here.left.set(if news { 1 } else { POLLS });
        news
    });
    if !news {
        look_at_the_clock();
    }
    news
}
