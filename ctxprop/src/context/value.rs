//! Typed values: they go down the chain of contexts and never leave the process.
//!
//! What crosses hops is baggage, in `baggage.rs`.

use std::any::TypeId;
use std::hash::{Hash, Hasher};

use super::ctx::Ctx;
use super::header::Additions;
use super::part::Value;

/// A number for the type `T`, which only helps to pass others by: one in 255 has the same, and 0 is none. More would make each context a
/// word larger.
#[inline]
fn number<T: 'static>() -> u8 {
    /// What is hashed is a hash already.
    struct Same(u64);

    impl Hasher for Same {
        #[inline]
        fn write(&mut self, bytes: &[u8]) {
            bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
        }

        #[inline]
        fn write_u64(&mut self, number: u64) {
            self.0 ^= number;
        }

        #[inline]
        fn finish(&self) -> u64 {
            self.0
        }
    }

    let mut hasher = Same(0);
    TypeId::of::<T>().hash(&mut hasher);
    let [number, ..] = hasher.finish().to_le_bytes();
    number.max(1)
}

impl Ctx {
    /// A child that carries `value`, found again by its type. The cancellation stays the parent's.
    ///
    /// A value of the same type further up is hidden, not replaced.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx};
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct Locale(&'static str);
    ///
    /// let ctx = Ctx::background().with_value(Locale("de"));
    /// assert_eq!(ctx.value::<Locale>(), Some(&Locale("de")));
    /// ```
    #[doc(alias = "WithValue")]
    #[must_use = "contexts are immutable: the value is in the new one"]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn with_value<T: Send + Sync + 'static>(&self, value: T) -> Ctx {
        let add = Additions::default();
        Ctx::of(self.node().below(add, Value(value), number::<T>())).told()
    }

    /// The value of type `T` that was added last, here or further up.
    #[doc(alias = "Value")]
    pub fn value<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.node().find_value(number::<T>())
    }
}
