//! Adding to baggage and taking from it, within the limits that hold on the wire.

use std::fmt;

use super::grammar;
use super::members::{Members, wire_len};
use super::received::PRIVATE;
use super::{BaggageError, BaggageErrorKind, BaggageMap, MAX_BAGGAGE_BYTES, MAX_BAGGAGE_MEMBERS};

/// Builds a [`BaggageMap`]: from nothing, or from another map.
///
/// A call that fails changes nothing.
///
/// # Examples
///
/// ```
/// use ctxprop::{BaggageErrorKind, BaggageMap};
///
/// let mut builder = BaggageMap::builder();
/// builder.insert("user.id", "7")?.insert_with("tenant", "acme", [("region", Some("eu"))])?;
///
/// let error = builder.insert("no spaces in keys", "secret").unwrap_err();
/// assert_eq!(error.kind(), BaggageErrorKind::InvalidKey);
/// assert!(!error.to_string().contains("secret"));
///
/// assert_eq!(builder.build().header_lines()[0], "user.id=7,tenant=acme;region=eu");
/// # Ok::<(), ctxprop::BaggageError>(())
/// ```
#[derive(Clone)]
pub struct BaggageMapBuilder {
    members: Members,
}

impl BaggageMapBuilder {
    pub(super) fn new(members: Members) -> Self {
        Self { members }
    }

    /// Adds a member at the end, in place of any with the same key. The value may be any text.
    ///
    /// # Errors
    ///
    /// The key is no token (RFC 9110, section 5.6.2), or there would be more than
    /// [`MAX_BAGGAGE_MEMBERS`] members or [`MAX_BAGGAGE_BYTES`] bytes of them, encoded.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<&mut Self, BaggageError> {
        self.put(key, value, &[])
    }

    /// Adds a member with properties, which stay in their order, may repeat and may lack a value.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert), and where the key of a property is no token.
    pub fn insert_with<'a, P>(
        &mut self,
        key: &str,
        value: &str,
        properties: P,
    ) -> Result<&mut Self, BaggageError>
    where
        P: IntoIterator<Item = (&'a str, Option<&'a str>)>,
    {
        let properties: Vec<_> = properties.into_iter().collect();
        self.put(key, value, &properties)
    }

    /// Adds a member that must not leave the mesh, see [`BaggageMap::without_private`].
    ///
    /// The mark is a property of the member, `private` without a value, so that the next hop keeps it
    /// in the mesh too. It belongs to the member, not to the key: [`insert`](Self::insert) with the
    /// same key replaces it by a member that has none.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    pub fn insert_private(&mut self, key: &str, value: &str) -> Result<&mut Self, BaggageError> {
        self.put(key, value, &[(PRIVATE, None)])
    }

    /// Removes the member with this key, if there is one.
    pub fn remove(&mut self, key: &str) -> &mut Self {
        if let Some(index) = self.members.find(key) {
            self.members.remove(index);
        }
        self
    }

    /// The map of all members so far. The builder is empty afterwards.
    pub fn build(&mut self) -> BaggageMap {
        BaggageMap::built(std::mem::replace(&mut self.members, Members::new()))
    }

    fn put(
        &mut self,
        key: &str,
        value: &str,
        properties: &[(&str, Option<&str>)],
    ) -> Result<&mut Self, BaggageError> {
        let refuse = |kind| Err(BaggageError::new(key.to_owned(), kind));
        if !grammar::is_token(key) {
            return refuse(BaggageErrorKind::InvalidKey);
        }
        if !properties.iter().all(|(key, _)| grammar::is_token(key)) {
            return refuse(BaggageErrorKind::InvalidProperty);
        }
        let replaced = self.members.find(key);
        let others = (0..self.members.len()).filter(|&index| Some(index) != replaced);
        let (count, bytes) = others
            .fold((0, 0), |(count, bytes), index| (count + 1, bytes + self.members.cost(index)));
        if count >= MAX_BAGGAGE_MEMBERS {
            return refuse(BaggageErrorKind::TooMany { max: MAX_BAGGAGE_MEMBERS });
        }
        if bytes + wire_len(key, value, properties) > MAX_BAGGAGE_BYTES {
            return refuse(BaggageErrorKind::TooLarge { max: MAX_BAGGAGE_BYTES });
        }
        if let Some(index) = replaced {
            self.members.remove(index);
        }
        self.members.push(key, value, properties);
        Ok(self)
    }
}

impl fmt::Debug for BaggageMapBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.members.fmt(f)
    }
}
