//! The end of one context: one word, set once, and those who wait for it.
//!
//! # Invariants
//! 1. A context has ended exactly when the word of its [`End`] is set, or that of one above it. Nothing else records it
//!    (3.1.6).
//! 2. The word is set once, by one compare-and-swap: the first cause wins (3.1.3).
//! 3. The error of a custom cause is stored before the word that speaks of it is set, and never replaced.
//! 4. Whoever ends a context sets the word and then looks for waiters; whoever waits makes itself known and then looks at
//!    the word. Each has a sequentially consistent fence in between, so at least one of the two sees the other: nobody
//!    waits for an end that has come.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::cause::Cause;
use super::waiters::{Key, Waiters};
use crate::fault::{Fault, planted};
use crate::sync::{AtomicU64, Mutex, Ordering, fence, lock};

/// When and why a context ended, in one word that is never zero: nanoseconds since [`epoch`], then a bit that says
/// whether the end is [inherited](Moment::inherited), then three bits for the [`CauseKind`] of the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(u64);

const KIND_BITS: u32 = 3;
const KIND: u64 = (1 << KIND_BITS) - 1;
const INHERITED: u64 = 1 << KIND_BITS;
const TIME_SHIFT: u32 = KIND_BITS + 1;

/// What moments are counted from: a day before the first look, since the clock of a paused runtime may lag behind.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    const DAY: Duration = Duration::from_secs(86_400);
    *EPOCH.get_or_init(|| {
        let now = Instant::now();
        now.checked_sub(DAY).unwrap_or(now)
    })
}

/// Nanoseconds since [`epoch`]. What fits lasts for 36 years; all that is later counts as that.
fn nanos(at: Instant) -> u64 {
    let since = at.saturating_duration_since(epoch()).as_nanos();
    u64::try_from(since).unwrap_or(u64::MAX).min(u64::MAX >> TIME_SHIFT)
}

/// The kinds of causes, as a moment has them. Zero is none, so that no moment is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CauseKind {
    Cancelled = 1,
    DeadlineExceeded,
    Disconnected,
    Finished,
    Shutdown,
    Custom,
}

impl CauseKind {
    fn of(cause: &Cause) -> CauseKind {
        match cause {
            Cause::Cancelled => CauseKind::Cancelled,
            Cause::DeadlineExceeded => CauseKind::DeadlineExceeded,
            Cause::Disconnected => CauseKind::Disconnected,
            Cause::Finished => CauseKind::Finished,
            Cause::Shutdown => CauseKind::Shutdown,
            Cause::Custom(_) => CauseKind::Custom,
        }
    }
}

impl Moment {
    fn new(at: Instant, kind: CauseKind) -> Moment {
        Moment((nanos(at) << TIME_SHIFT) | kind as u64)
    }

    /// The moment at which `deadline` passes.
    pub(crate) fn of_deadline(deadline: Instant) -> Moment {
        Moment::new(deadline, CauseKind::DeadlineExceeded)
    }

    /// The same, for a context that ended because one above it did: whoever waits for it waits for that one too, and is
    /// told there.
    pub(crate) fn inherited(self) -> Moment {
        Moment(self.0 | INHERITED)
    }

    pub(crate) fn is_inherited(self) -> bool {
        self.0 & INHERITED != 0
    }

    /// When.
    #[cfg(feature = "observe")]
    pub(crate) fn at(self) -> Instant {
        epoch() + Duration::from_nanos(self.0 >> TIME_SHIFT)
    }

    /// Whether `deadline` had passed by then.
    pub(crate) fn is_after(self, deadline: Instant) -> bool {
        nanos(deadline) <= self.0 >> TIME_SHIFT
    }

    /// Why; `None` for a custom cause, whose error is with the context that it was given to.
    pub(crate) fn cause(self) -> Option<Cause> {
        Some(match self.0 & KIND {
            1 => Cause::Cancelled,
            2 => Cause::DeadlineExceeded,
            3 => Cause::Disconnected,
            4 => Cause::Finished,
            5 => Cause::Shutdown,
            _ => return None,
        })
    }
}

/// The word of an end: zero until it comes, then its [`Moment`].
#[derive(Debug)]
pub(crate) struct Word(AtomicU64);

/// That of an end that never comes.
pub(crate) static NEVER: Word = Word(AtomicU64::new(0));

impl Word {
    /// Whether the end has come.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        // Whoever sees the end sees what the one who brought it had done before. Sequentially consistent, and not only
        // `Acquire`: `count.rs`, invariant 2.
        self.0.load(Ordering::SeqCst) != 0
    }
}

/// Whether a context has ended on its own account, and who waits for that. `K` is what the floor above keeps with it.
#[derive(Debug)]
pub(crate) struct End<K> {
    word: Word,
    /// Made by the first that waits, that keeps something, or that ends it with an error of its own.
    more: OnceLock<Box<More<K>>>,
}

/// What most contexts never need.
#[derive(Debug)]
struct More<K> {
    waiters: Waiters,
    error: Mutex<Option<Arc<dyn Error + Send + Sync>>>,
    kept: OnceLock<K>,
}

impl<K> End<K> {
    pub(crate) fn new() -> End<K> {
        End { word: Word(AtomicU64::new(0)), more: OnceLock::new() }
    }

    /// One that came before anybody could wait for it.
    pub(crate) fn ended(moment: Moment) -> End<K> {
        End { word: Word(AtomicU64::new(moment.0)), more: OnceLock::new() }
    }

    /// Whether the word is set.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.word.is_set()
    }

    #[inline]
    pub(crate) fn word(&self) -> &Word {
        &self.word
    }

    pub(crate) fn moment(&self) -> Option<Moment> {
        // As `Word::is_set` does.
        match self.word.0.load(Ordering::SeqCst) {
            0 => None,
            word => Some(Moment(word)),
        }
    }

    /// The error that it was ended with, if it was one.
    pub(crate) fn error(&self) -> Option<Arc<dyn Error + Send + Sync>> {
        lock(&self.more.get()?.error).clone()
    }

    /// Records that the end came at `moment`, unless it has come; gives the moment at which it did.
    pub(crate) fn set(&self, moment: Moment) -> Moment {
        match self.word.0.compare_exchange(0, moment.0, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => moment,
            Err(first) => Moment(first),
        }
    }

    /// Records that the end came `now` by `cause`, unless it has come.
    pub(crate) fn bring(&self, now: Instant, cause: &Cause) {
        let moment = Moment::new(now, CauseKind::of(cause));
        let Cause::Custom(error) = cause else {
            self.set(moment);
            return;
        };
        if planted(Fault::StoresTheErrorLate) {
            self.set(moment);
            *lock(&self.more().error) = Some(Arc::clone(error));
            return;
        }
        let mut place = lock(&self.more().error);
        // Only who holds this lock ends it by an error, so the error that stays is the one that the word speaks of
        // (invariant 3). The lock is also what keeps others from reading an error that does not stay.
        if self.is_set() {
            return;
        }
        *place = Some(Arc::clone(error));
        // The clone that is taken back is not the last handle: the caller has one.
        let lost = if self.set(moment) == moment { None } else { place.take() };
        drop(place);
        drop(lost);
    }

    fn more(&self) -> &More<K> {
        self.more.get_or_init(|| {
            Box::new(More {
                waiters: Waiters::new(),
                error: Mutex::new(None),
                kept: OnceLock::new(),
            })
        })
    }

    /// Has `waker` woken at the end; `None`, and it is not, where that has come.
    pub(crate) fn register(&self, waker: &Waker) -> Option<Key> {
        let waiters = &self.more().waiters;
        fence(Ordering::SeqCst); // invariant 4: the set of waiters can be seen
        waiters.insert(waker, || self.is_set())
    }

    /// Takes a waker back that [`register`](End::register) took.
    pub(crate) fn unregister(&self, key: Key) {
        if let Some(more) = self.more.get() {
            more.waiters.remove(key);
        }
    }

    /// Once the word is set: wakes all that wait. When it returns all were woken, also those that another thread is
    /// waking just now. False where such a call of a waker has not returned.
    ///
    /// # Panics
    ///
    /// Where a waker panics, once all were woken.
    pub(crate) fn tell(&self) -> bool {
        fence(Ordering::SeqCst); // invariant 4: the word is set
        self.more.get().is_none_or(|more| more.waiters.tell())
    }

    /// Whether another thread is inside a call of [`tell`](End::tell).
    pub(crate) fn is_being_told(&self) -> bool {
        self.more.get().is_some_and(|more| more.waiters.are_being_told())
    }

    /// What the floor above keeps here, made by `make` where nothing is kept yet.
    pub(crate) fn keep(&self, make: impl FnOnce() -> K) -> &K {
        self.more().kept.get_or_init(make)
    }

    #[inline]
    pub(crate) fn kept(&self) -> Option<&K> {
        self.more.get()?.kept.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Instant {
        epoch() + Duration::from_secs(secs)
    }

    fn custom(text: &str) -> Cause {
        Cause::from(std::io::Error::other(text.to_owned()))
    }

    #[test]
    fn a_moment_keeps_kind_time_and_whether_it_is_inherited() {
        let causes = [
            Cause::Cancelled,
            Cause::DeadlineExceeded,
            Cause::Disconnected,
            Cause::Finished,
            Cause::Shutdown,
        ];
        for cause in causes {
            let moment = Moment::new(at(7), CauseKind::of(&cause));
            assert_eq!(moment.cause(), Some(cause.clone()));
            assert!(!moment.is_inherited() && moment.inherited().is_inherited());
            assert_eq!(moment.inherited().cause(), Some(cause));
            assert!(moment.is_after(at(7)) && moment.inherited().is_after(at(7)));
            assert!(moment.is_after(at(6)) && !moment.is_after(at(8)));
        }
        assert_eq!(Moment::new(at(7), CauseKind::of(&custom("why"))).cause(), None);
    }

    #[test]
    fn times_beyond_the_word_count_as_the_last_that_fits() {
        let far = at(100 * 365 * 86_400);
        assert!(Moment::of_deadline(far).is_after(far));
        assert!(!Moment::of_deadline(at(1)).is_after(far));
        assert_eq!(Moment::of_deadline(far).cause(), Some(Cause::DeadlineExceeded));
        let before = epoch().checked_sub(Duration::from_secs(1));
        assert!(before.is_none_or(|before| Moment::of_deadline(before).0 != 0));
    }

    #[test]
    fn the_first_end_stays() {
        let end = End::<()>::new();
        assert!(!end.is_set() && end.moment().is_none());
        end.bring(at(1), &Cause::Shutdown);
        end.bring(at(2), &Cause::Cancelled);
        end.bring(at(3), &custom("late"));
        assert_eq!(end.moment().and_then(Moment::cause), Some(Cause::Shutdown));
        assert!(end.error().is_none());
        assert_eq!(end.set(Moment::of_deadline(at(0))).cause(), Some(Cause::Shutdown));
    }

    #[test]
    fn the_error_that_stays_is_the_one_the_word_speaks_of() {
        let end = End::<()>::new();
        end.bring(at(1), &custom("first"));
        end.bring(at(2), &custom("second"));
        assert_eq!(end.moment().and_then(Moment::cause), None);
        assert_eq!(end.error().map(|error| error.to_string()).as_deref(), Some("first"));
    }

    #[test]
    fn what_is_kept_is_made_once() {
        let end = End::new();
        assert_eq!(end.kept(), None);
        assert_eq!(*end.keep(|| 1), 1);
        assert_eq!(*end.keep(|| 2), 1);
        assert_eq!(end.kept(), Some(&1));
    }
}
