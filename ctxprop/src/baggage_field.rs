//! The fields of a `#[derive(Baggage)]` struct. Not public API: the macro names it through `__private`, and it
//! is here, under a path that reads well, because the compiler's messages print it.

use std::fmt::{self, Display, Write as _};
use std::str::FromStr;

use crate::baggage::{BaggageError, BaggageMap, BaggageMapBuilder, PRIVATE};

pub mod limits;

/// What a field can be: read from text and written as text. Enums derive it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel as baggage",
    label = "needs `FromStr` to be read and `Display` to be written",
    note = "baggage is text: implement `std::str::FromStr` and `std::fmt::Display`, on a newtype if the type is not yours",
    note = "or derive `ctxprop::Baggage`: on an enum without fields, or on a struct for `#[baggage(flatten)]`",
    note = "or leave the field out of the baggage with `#[baggage(skip)]`"
)]
pub trait Text: Sized {
    /// The most bytes of the value on the wire, where the type alone tells.
    const MAX_ENCODED_LEN: Option<usize> = None;

    fn parse(text: &str) -> Option<Self>;
    fn as_text(&self, out: &mut String) -> fmt::Result;
}

#[diagnostic::do_not_recommend]
impl<T: FromStr + Display> Text for T {
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn as_text(&self, out: &mut String) -> fmt::Result {
        write!(out, "{self}")
    }
}

/// Demanded by `skip`, and by `default` without a value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default",
    label = "this needs `Default` for `{Self}`",
    note = "`skip` reads a field as the default of its type, and so does `default` where the key is absent",
    note = "for a type that has none: `default = value` instead of `default`, an `Option` of it instead of `skip` alone"
)]
pub trait HasDefault: Default {}

#[diagnostic::do_not_recommend]
impl<T: Default> HasDefault for T {}

/// Where a field travels, and how its value becomes text and back.
///
/// The functions are values here, so that a type which has none is one error, at [`field`], and not one at
/// each method.
#[derive(Debug)]
pub struct Field<T> {
    key: &'static str,
    expected: &'static str,
    max_len: usize,
    max_value: Option<usize>,
    private: bool,
    parse: fn(&str) -> Option<T>,
    print: fn(&T, &mut String) -> fmt::Result,
}

/// The field under `key`, whose value is a valid `expected`.
#[inline]
pub const fn field<T: Text>(key: &'static str, expected: &'static str) -> Field<T> {
    Field {
        key,
        expected,
        max_len: usize::MAX,
        max_value: T::MAX_ENCODED_LEN,
        private: false,
        parse: T::parse,
        print: T::as_text,
    }
}

impl<T> Field<T> {
    /// No value is of more bytes, decoded.
    #[inline]
    #[must_use]
    pub const fn max_len(mut self, max_len: usize) -> Self {
        self.max_len = max_len;
        // Each byte may have to be encoded as three.
        let encoded = 3 * max_len;
        self.max_value = match self.max_value {
            Some(known) if known < encoded => Some(known),
            _ => Some(encoded),
        };
        self
    }

    /// It must not leave the mesh.
    #[inline]
    #[must_use]
    pub const fn private(mut self) -> Self {
        self.private = true;
        self
    }

    /// The most bytes of the field on the wire: `key=value`, and `;private` where it is.
    pub const fn max_encoded_len(&self) -> Option<usize> {
        let mark = if self.private { 1 + PRIVATE.len() } else { 0 };
        match self.max_value {
            Some(value) => Some(self.key.len() + 1 + value + mark),
            None => None,
        }
    }

    #[inline]
    pub fn read(&self, map: &BaggageMap) -> Result<T, BaggageError> {
        self.read_option(map)?.ok_or_else(|| BaggageError::missing(self.key))
    }

    #[inline]
    pub fn read_or(
        &self,
        map: &BaggageMap,
        default: impl FnOnce() -> T,
    ) -> Result<T, BaggageError> {
        Ok(self.read_option(map)?.unwrap_or_else(default))
    }

    #[inline]
    pub fn read_option(&self, map: &BaggageMap) -> Result<Option<T>, BaggageError> {
        let Some(text) = map.get(self.key) else {
            return Ok(None);
        };
        self.limit(text)?;
        match (self.parse)(text) {
            Some(value) => Ok(Some(value)),
            None => Err(self.invalid()),
        }
    }

    pub fn write(&self, value: &T, out: &mut BaggageMapBuilder) -> Result<(), BaggageError> {
        let mut text = String::new();
        (self.print)(value, &mut text).map_err(|_| self.invalid())?;
        self.limit(&text)?;
        if self.private {
            out.insert_private(self.key, &text)?;
        } else {
            out.insert(self.key, &text)?;
        }
        Ok(())
    }

    /// Without a value whatever came under the key is removed: the struct says what travels on.
    #[inline]
    pub fn write_option(
        &self,
        value: &Option<T>,
        out: &mut BaggageMapBuilder,
    ) -> Result<(), BaggageError> {
        match value {
            Some(value) => self.write(value, out),
            None => {
                out.remove(self.key);
                Ok(())
            }
        }
    }

    fn limit(&self, text: &str) -> Result<(), BaggageError> {
        if text.len() > self.max_len {
            return Err(BaggageError::too_long(self.key, self.max_len));
        }
        Ok(())
    }

    fn invalid(&self) -> BaggageError {
        BaggageError::invalid(self.key, self.expected)
    }
}

/// What the type is without a value.
#[inline]
#[must_use]
pub fn default<T: HasDefault>() -> T {
    T::default()
}

/// In place of what the macro reported an error about: it has a type and is never run.
pub fn mistaken<T>() -> T {
    unreachable!("code with an error does not compile")
}
