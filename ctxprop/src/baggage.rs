//! What travels with a request beside its trace: small named values, untyped and typed.
//!
//! Here is what baggage *is*. `wire::baggage` knows the header it travels in and what of a
//! stranger's header to refuse; this module never sees a header map.

mod builder;
mod error;
mod fit;
mod grammar;
mod kept;
mod lines;
mod members;
mod received;
mod search;

use std::fmt;
use std::sync::{Arc, OnceLock};

use http::HeaderValue;

pub use builder::BaggageMapBuilder;
pub use error::{BaggageError, BaggageErrorKind};
pub(crate) use fit::{LeftOut, is_fit, rebuild, rebuild_keys};
pub(crate) use grammar::encoded_len;
use kept::Kept;
pub(crate) use lines::Lines;
use members::Members;
pub(crate) use received::PRIVATE;
use received::Received;

/// The most members that travel together (W3C Baggage, section 3.2.2 "Limits").
pub const MAX_BAGGAGE_MEMBERS: usize = 64;

/// The most bytes all members make together, encoded, commas between them included (W3C Baggage,
/// section 3.2.2 "Limits").
pub const MAX_BAGGAGE_BYTES: usize = 8192;

/// A type that travels as baggage: usually a struct with `#[derive(Baggage)]`.
///
/// Written by hand, it reads and writes one or more members of the map:
///
/// ```
/// use ctxprop::{Baggage, BaggageError, BaggageMap, BaggageMapBuilder};
///
/// #[derive(Debug, PartialEq)]
/// struct Caller {
///     user_id: u64,
///     tenant: Option<String>,
/// }
///
/// impl Baggage for Caller {
///     fn from_baggage(map: &BaggageMap) -> Result<Self, BaggageError> {
///         let user_id = map.get("user.id").ok_or(BaggageError::missing("user.id"))?;
///         Ok(Caller {
///             user_id: user_id.parse().map_err(|_| BaggageError::invalid("user.id", "u64"))?,
///             tenant: map.get("tenant").map(str::to_owned),
///         })
///     }
///
///     fn to_baggage(&self, out: &mut BaggageMapBuilder) -> Result<(), BaggageError> {
///         out.insert("user.id", &self.user_id.to_string())?;
///         match &self.tenant {
///             Some(tenant) => out.insert("tenant", tenant)?,
///             None => out.remove("tenant"), // or the caller's would travel on
///         };
///         Ok(())
///     }
/// }
///
/// let caller = Caller { user_id: 7, tenant: None };
/// let mut out = BaggageMap::builder();
/// caller.to_baggage(&mut out)?;
/// assert_eq!(Caller::from_baggage(&out.build())?, caller);
/// # Ok::<(), BaggageError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not baggage",
    label = "this needs `ctxprop::Baggage`",
    note = "derive it on a struct with named fields: `#[derive(ctxprop::Baggage)]`",
    note = "an enum that derives it, and whatever is text, is the value of a field of such a struct"
)]
pub trait Baggage: Sized {
    /// The most bytes this takes on the wire, keys, commas and percent-encoding included. `None` where a field
    /// has no limit, and for what does not say.
    ///
    /// The derive knows it where each field has a `max_len`, is an enum that derives `Baggage`, or is a flattened
    /// struct that knows its own.
    const MAX_ENCODED_LEN: Option<usize> = None;

    /// The keys, as far as they are known at compile time.
    #[doc(hidden)]
    const KEYS: crate::baggage_field::limits::Keys = crate::baggage_field::limits::Keys::UNKNOWN;

    /// Reads the value from what the request carries.
    ///
    /// # Errors
    ///
    /// A member is missing, does not parse or is longer than allowed. The error names its key.
    fn from_baggage(map: &BaggageMap) -> Result<Self, BaggageError>;

    /// Writes the value into what the request will carry; what is there under other keys stays.
    ///
    /// # Errors
    ///
    /// A key is no token, a value is longer than allowed, or the whole exceeds
    /// [`MAX_BAGGAGE_MEMBERS`] or [`MAX_BAGGAGE_BYTES`].
    fn to_baggage(&self, out: &mut BaggageMapBuilder) -> Result<(), BaggageError>;
}

/// All baggage of a request, untyped: ordered members of a key, a value and properties.
///
/// A clone bumps a reference count; an empty map allocates nothing. What came over the wire is
/// kept as it came, checked and decoded as far as somebody looks at it, and re-sent without being decoded; what was built
/// here is encoded when first sent. There is one value a key: of several, the last counts.
///
/// Members marked private are ones that must not leave the mesh, see
/// [`without_private`](Self::without_private). The mark is a property, `private`, so it holds at every hop of
/// the mesh, however many services pass the member on without looking at it. It is written without a value, and read
/// in any case and with any value: `;PRIVATE` and `;private=1` are marks too.
/// `Debug` shows their keys only, and all of the other members; properties are not shown.
///
/// See [W3C Baggage](https://www.w3.org/TR/baggage/).
///
/// # Examples
///
/// ```
/// use ctxprop::BaggageMap;
///
/// let map = BaggageMap::builder().insert("tenant", "acme corp")?.build();
/// assert_eq!(map.get("tenant"), Some("acme corp"));
/// assert_eq!(map.header_lines()[0], "tenant=acme%20corp");
///
/// let map = map.to_builder().insert("tenant", "other")?.build();
/// assert_eq!(map.iter().collect::<Vec<_>>(), [("tenant", "other")]);
/// # Ok::<(), ctxprop::BaggageError>(())
/// ```
#[derive(Clone, Default)]
pub struct BaggageMap(Repr);

/// Either form of the same members, and the other one once somebody has asked for it. There is at
/// least one member, unless it is `Empty`.
///
/// What came in is kept in place, not on the heap: most hops pass it on and nobody reads it.
#[derive(Clone, Default)]
enum Repr {
    #[default]
    Empty,
    Received(Kept),
    Built(Arc<Built>),
}

struct Built {
    members: Members,
    lines: OnceLock<Lines>,
}

static NO_MEMBERS: Members = Members::new();

impl BaggageMap {
    /// The map without members.
    ///
    /// ```
    /// # use ctxprop::BaggageMap;
    /// static NONE: BaggageMap = BaggageMap::empty();
    /// assert!(NONE.is_empty());
    /// ```
    #[must_use]
    pub const fn empty() -> Self {
        Self(Repr::Empty)
    }

    /// A builder that begins empty.
    #[must_use]
    pub fn builder() -> BaggageMapBuilder {
        BaggageMapBuilder::new(Members::new())
    }

    /// A builder that begins with these members; those it leaves alone are sent as they came.
    #[must_use]
    pub fn to_builder(&self) -> BaggageMapBuilder {
        BaggageMapBuilder::new(self.members().clone())
    }

    /// The value under this key, percent-decoded.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        match &self.0 {
            Repr::Empty => None,
            Repr::Received(kept) => kept.get(key),
            Repr::Built(built) => built.members.find(key).map(|index| built.members.value(index)),
        }
    }

    /// Whether there is a member with this key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// All members as `(key, value)`, values percent-decoded, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members().iter()
    }

    /// The properties of the member with this key as `(key, value)`, in order: they may repeat
    /// and may lack a value. Values are percent-decoded, keys are not.
    pub fn properties(&self, key: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
        let members = self.members();
        members.find(key).into_iter().flat_map(|index| members.properties(index))
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members().len()
    }

    /// Whether there is no member. Nothing is decoded to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Empty => true,
            Repr::Received(kept) => kept.lines().is_err_and(BaggageMap::is_empty),
            Repr::Built(_) => false,
        }
    }

    /// Whether nothing came, so that there is not even something that nobody has checked.
    pub(crate) const fn is_nothing(&self) -> bool {
        matches!(self.0, Repr::Empty)
    }

    /// Whether there is a member with this key and it must not leave the mesh.
    #[must_use]
    pub fn is_private(&self, key: &str) -> bool {
        let members = self.members();
        members.find(key).is_some_and(|index| members.is_private(index))
    }

    /// What may leave the mesh: the map without its private members.
    ///
    /// ```
    /// # use ctxprop::BaggageMap;
    /// let map = BaggageMap::builder().insert("tenant", "a")?.insert_private("user", "b")?.build();
    /// assert_eq!(map.without_private().iter().collect::<Vec<_>>(), [("tenant", "a")]);
    /// # Ok::<(), ctxprop::BaggageError>(())
    /// ```
    #[must_use]
    pub fn without_private(&self) -> Self {
        if let Repr::Received(kept) = &self.0 {
            match kept.lines() {
                Ok(lines) if !received::may_be_private(lines.as_slice()) => return self.clone(),
                Ok(_) => {}
                Err(instead) => return instead.without_private(),
            }
        }
        // Nor does a value that a private one of the same key has taken the place of.
        self.filter(
            |member| !member.private && !member.superseded,
            |members, index| !members.is_private(index),
        )
    }

    /// The map with only the members whose key is among these, compared exactly.
    ///
    /// ```
    /// # use ctxprop::BaggageMap;
    /// let map = BaggageMap::builder().insert("a", "1")?.insert("b", "2")?.build();
    /// assert_eq!(map.retain_keys(&["b", "c"]).iter().collect::<Vec<_>>(), [("b", "2")]);
    /// # Ok::<(), ctxprop::BaggageError>(())
    /// ```
    #[must_use]
    pub fn retain_keys<K: AsRef<str>>(&self, keys: &[K]) -> Self {
        if keys.is_empty() {
            return Self::empty();
        }
        // All members of a key stay together: an earlier one may be what makes the last private.
        let named = |this: &[u8]| keys.iter().any(|key| key.as_ref().as_bytes() == this);
        self.filter(
            |member| named(member.key()),
            |members, index| named(members.key(index).as_bytes()),
        )
    }

    /// The values of the `baggage` header to send, none if the map is empty.
    ///
    /// Each is at most 8,000 bytes (nginx refuses a line of 8,190), unless a single member is
    /// longer. A line that was built here with a private member is marked sensitive.
    #[must_use]
    #[inline]
    pub fn header_lines(&self) -> &[HeaderValue] {
        match &self.0 {
            Repr::Empty => &[],
            Repr::Received(kept) => match kept.lines() {
                Ok(lines) => lines.as_slice(),
                Err(instead) => instead.header_lines(),
            },
            Repr::Built(built) => built.lines.get_or_init(|| built.members.to_lines()).as_slice(),
        }
    }

    /// The map of lines that are valid, within limits and have at least one member.
    #[inline]
    pub(crate) fn received(lines: Lines) -> Self {
        Self(Repr::Received(Kept::checked(lines)))
    }

    /// The map of a line that is not checked before somebody looks at it.
    #[inline]
    pub(crate) fn unchecked(line: HeaderValue) -> Self {
        Self(Repr::Received(Kept::unchecked(line)))
    }

    /// How many members are not in it of what came, as far as that was not known when it came.
    pub(crate) fn left_out(&self) -> usize {
        match &self.0 {
            Repr::Received(kept) => kept.left_out(),
            Repr::Empty | Repr::Built(_) => 0,
        }
    }

    fn built(members: Members) -> Self {
        if members.len() == 0 {
            return Self::empty();
        }
        Self(Repr::Built(Arc::new(Built { members, lines: OnceLock::new() })))
    }

    fn members(&self) -> &Members {
        match &self.0 {
            Repr::Empty => &NO_MEMBERS,
            Repr::Received(kept) => kept.members(),
            Repr::Built(built) => &built.members,
        }
    }

    /// What came is looked at where it is, and not decoded.
    fn filter(
        &self,
        keep_received: impl Fn(&Received<'_>) -> bool,
        keep_built: impl Fn(&Members, usize) -> bool,
    ) -> Self {
        match &self.0 {
            Repr::Empty => self.clone(),
            Repr::Received(kept) => match kept.lines() {
                Ok(lines) => match received::filter(lines.as_slice(), keep_received) {
                    None => self.clone(),
                    Some(kept) => kept.map_or(Self::empty(), Self::received),
                },
                Err(instead) => instead.filter(keep_received, keep_built),
            },
            Repr::Built(built) => {
                let members = &built.members;
                if (0..members.len()).all(|index| keep_built(members, index)) {
                    return self.clone();
                }
                Self::built(members.copy_of(|index| keep_built(members, index)))
            }
        }
    }
}

impl fmt::Debug for BaggageMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.members().fmt(f)
    }
}

#[cfg(test)]
mod tests;
