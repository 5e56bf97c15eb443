//! Trace and span ids as bytes, the flags beside them, and how the three are written in hex.
//!
//! Ids are never kept as text. Where they come from at random is here too, because "never all
//! zero" is a rule of the types.

mod hex;

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::ops::BitOr;
use std::str::FromStr;

pub(crate) use hex::{decode_hex, encode_hex};

/// An id was not the right number of lower-case hexadecimal digits, or all of them were zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseIdError {
    digits: usize,
}

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} lower-case hexadecimal digits, not all zero", self.digits)
    }
}

impl std::error::Error for ParseIdError {}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $number:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl $name {
            /// All zero, which the specification forbids on the wire: no id.
            pub const INVALID: Self = Self([0; $len]);

            /// The id with these bytes, most significant first.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes, most significant first.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; $len] {
                self.0
            }

            /// Whether any bit is set.
            #[must_use]
            pub const fn is_valid(self) -> bool {
                $number::from_ne_bytes(self.0) != 0
            }

            /// Reads exactly the digits, nothing around them; `None` for zero too.
            #[inline]
            pub(crate) fn from_hex(text: &[u8]) -> Option<Self> {
                decode_hex(text).map(Self).filter(|id| id.is_valid())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Self::from_hex(text.as_bytes()).ok_or(ParseIdError { digits: 2 * $len })
            }
        }

        impl fmt::LowerHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; 2 * $len];
                encode_hex(&self.0, &mut text);
                f.pad(str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(self, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(self, f)
            }
        }
    };
}

id! {
    /// The id of a whole trace: 16 bytes, written as 32 lower-case hexadecimal digits.
    ///
    /// See Trace Context Level 2, section "trace-id".
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::TraceId;
    ///
    /// let id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
    /// assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    /// assert!("4BF92F3577B34DA6A3CE929D0E0E4736".parse::<TraceId>().is_err());
    /// # Ok::<(), ctxprop::ParseIdError>(())
    /// ```
    TraceId, 16, u128
}

id! {
    /// The id of one span: 8 bytes, written as 16 lower-case hexadecimal digits.
    ///
    /// See Trace Context Level 2, section "parent-id".
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::SpanId;
    ///
    /// let id: SpanId = "00f067aa0ba902b7".parse()?;
    /// assert_eq!(id.to_bytes()[1], 0xf0);
    /// # Ok::<(), ctxprop::ParseIdError>(())
    /// ```
    SpanId, 8, u64
}

impl TraceId {
    /// A new id, uniformly random in all its bytes, never zero.
    pub(crate) fn random() -> Self {
        GENERATOR.with(|state| {
            let (mut high, mut low) = state.get().unwrap_or_else(seeds);
            let id = loop {
                let id = (u128::from(next(&mut high)) << 64) | u128::from(next(&mut low));
                if id != 0 {
                    break id;
                }
            };
            state.set(Some((high, low)));
            Self(id.to_be_bytes())
        })
    }
}

impl SpanId {
    /// A new id, uniformly random in all its bytes, never zero.
    pub(crate) fn random() -> Self {
        GENERATOR.with(|state| {
            let (high, mut low) = state.get().unwrap_or_else(seeds);
            let id = loop {
                let id = next(&mut low);
                if id != 0 {
                    break id;
                }
            };
            state.set(Some((high, low)));
            Self(id.to_be_bytes())
        })
    }
}

thread_local! {
    /// Two generators a thread, seeded by the operating system at the thread's first id.
    ///
    /// Not `fastrand`'s own global one: whoever seeds that (a simulation, a test) would make every
    /// process of a fleet count the same ids. Two, because one has 64 bits of state, from which
    /// 128 bits of id would not be unique enough in a large fleet.
    static GENERATOR: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
}

#[cold]
fn seeds() -> (u64, u64) {
    let seed = || RandomState::new().build_hasher().finish();
    (seed(), seed())
}

fn next(state: &mut u64) -> u64 {
    let mut generator = fastrand::Rng::with_seed(*state);
    let value = generator.u64(..);
    *state = generator.get_seed();
    value
}

/// The 8 trace flags of `traceparent`, of which Level 2 names two.
///
/// See Trace Context Level 2, section "trace-flags".
///
/// # Examples
///
/// ```
/// use ctxprop::TraceFlags;
///
/// let flags = TraceFlags::SAMPLED | TraceFlags::RANDOM;
/// assert!(flags.is_sampled() && flags.is_random());
/// assert_eq!(flags.bits(), 0b11);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// No flag is set.
    pub const NONE: Self = Self(0);
    /// The caller may have recorded this trace.
    pub const SAMPLED: Self = Self(1);
    /// At least the right-most 7 bytes of the trace id were chosen at random.
    pub const RANDOM: Self = Self(2);

    /// The flags with these bits; none is cleared.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// All bits, known or not.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether [`SAMPLED`](Self::SAMPLED) is set.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// Whether [`RANDOM`](Self::RANDOM) is set.
    #[must_use]
    pub const fn is_random(self) -> bool {
        self.0 & Self::RANDOM.0 != 0
    }

    /// The flags this version may send: section "Other Flags" wants the rest zero.
    pub(crate) const fn known(self) -> Self {
        Self(self.0 & (Self::SAMPLED.0 | Self::RANDOM.0))
    }
}

impl BitOr for TraceFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for TraceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}
