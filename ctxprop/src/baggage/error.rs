//! What can be wrong with baggage. An error names the key and never holds the value.

use std::borrow::Cow;
use std::fmt;

/// Baggage could not be read as the type asked for, or could not be written.
///
/// It names the key and what was wrong, never the value, so it is safe to log and to answer with.
///
/// # Examples
///
/// ```
/// use ctxprop::{BaggageError, BaggageErrorKind};
///
/// let error = BaggageError::invalid("user.id", "u64");
/// assert_eq!(error.key(), "user.id");
/// assert_eq!(error.kind(), BaggageErrorKind::Invalid { expected: "u64" });
/// assert_eq!(error.to_string(), "baggage `user.id` is not a valid u64");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BaggageError {
    key: Cow<'static, str>,
    kind: BaggageErrorKind,
}

/// What was wrong with the baggage under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BaggageErrorKind {
    /// There is no member with the key, and the type cannot do without.
    Missing,
    /// The value did not parse.
    Invalid {
        /// What was expected, such as the name of a type.
        expected: &'static str,
    },
    /// The value is longer than the type allows.
    TooLong {
        /// The most bytes of the decoded value.
        max: usize,
    },
    /// The map is full.
    TooMany {
        /// The most members.
        max: usize,
    },
    /// All members together would be too long.
    TooLarge {
        /// The most bytes of all members, encoded.
        max: usize,
    },
    /// The key is no token of RFC 9110, section 5.6.2.
    InvalidKey,
    /// The key of one of the member's properties is no such token.
    InvalidProperty,
}

impl BaggageError {
    /// There is no member with this key, and the type cannot do without.
    #[must_use]
    pub fn missing(key: impl Into<Cow<'static, str>>) -> Self {
        Self::new(key, BaggageErrorKind::Missing)
    }

    /// The value under this key is not what was `expected`, such as `"u64"`.
    #[must_use]
    pub fn invalid(key: impl Into<Cow<'static, str>>, expected: &'static str) -> Self {
        Self::new(key, BaggageErrorKind::Invalid { expected })
    }

    /// The value under this key is longer than `max` bytes.
    #[must_use]
    pub fn too_long(key: impl Into<Cow<'static, str>>, max: usize) -> Self {
        Self::new(key, BaggageErrorKind::TooLong { max })
    }

    pub(super) fn new(key: impl Into<Cow<'static, str>>, kind: BaggageErrorKind) -> Self {
        Self { key: key.into(), kind }
    }

    /// The key of the member at fault.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What was wrong.
    #[must_use]
    pub const fn kind(&self) -> BaggageErrorKind {
        self.kind
    }
}

impl fmt::Display for BaggageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // a key that was refused may be anything, a line break included
        let key = self.key.escape_debug();
        match self.kind {
            BaggageErrorKind::Missing => write!(f, "baggage `{key}` is missing"),
            BaggageErrorKind::Invalid { expected } => {
                write!(f, "baggage `{key}` is not a valid {expected}")
            }
            BaggageErrorKind::TooLong { max } => {
                write!(f, "baggage `{key}` is longer than {max} bytes")
            }
            BaggageErrorKind::TooMany { max } => {
                write!(f, "baggage `{key}` does not fit: there are {max} members already")
            }
            BaggageErrorKind::TooLarge { max } => {
                write!(f, "baggage `{key}` does not fit: all of it would exceed {max} bytes")
            }
            BaggageErrorKind::InvalidKey => {
                write!(f, "baggage key `{key}` is not a token (RFC 9110, section 5.6.2)")
            }
            BaggageErrorKind::InvalidProperty => {
                write!(f, "a property of baggage `{key}` has a key that is not a token")
            }
        }
    }
}

impl std::error::Error for BaggageError {}
