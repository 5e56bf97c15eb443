//! `tracestate`: the list in which tracing systems keep their own place in the trace.
//!
//! Kept as the bytes of one header, validated once, never decoded to be re-sent. Which header it
//! came from, and when it must be ignored, is `wire::trace_context`'s business.

mod grammar;

use std::fmt;
use std::str::FromStr;

use http::HeaderValue;

use grammar::{Member, is_key, members, scan, scan_here};

use crate::field_value::FieldValue;

/// The most list-members a `tracestate` may have (section "tracestate Header Field Values").
pub const MAX_TRACE_STATE_MEMBERS: usize = 32;

/// The most characters of several members kept, commas and white space included. A member alone
/// may be as long as the grammar allows, which is one character more.
///
/// Section 3.3.3.1 "tracestate Limits" asks for at least as many, and says what goes first beyond.
pub const MAX_TRACE_STATE_BYTES: usize = 512;

/// Members longer than this go first when the whole is too long (section "tracestate Limits").
const LONG_MEMBER: usize = 128;

/// A valid `tracestate`: an ordered list of at most 32 `key=value` members, the newest first.
///
/// A clone bumps a reference count; an empty list allocates nothing. `Debug` tells keys only: the
/// values belong to the tracing systems that wrote them.
///
/// See Trace Context Level 2, section "Tracestate Header".
///
/// # Examples
///
/// ```
/// use ctxprop::TraceState;
///
/// let state: TraceState = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE".parse()?;
/// assert_eq!(state.get("congo"), Some("t61rcWkgMzE"));
///
/// // a changed member moves to the front
/// let state = state.with("congo", "ucfJifl5GOE")?;
/// assert_eq!(state.iter().next(), Some(("congo", "ucfJifl5GOE")));
/// # Ok::<(), ctxprop::TraceStateError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct TraceState(
    // Invariant: valid, not empty, within both limits, without empty members, one for each key.
    Option<HeaderValue>,
);

impl TraceState {
    /// A list without members.
    #[must_use]
    pub const fn empty() -> Self {
        Self(None)
    }

    /// What the tracing system `key` says, leading spaces included.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find_map(|(name, value)| (name == key).then_some(value))
    }

    /// All members as `(key, value)`, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members().filter_map(Member::as_str)
    }

    /// Whether there is no member.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The list with this member in front, where a member with the same key is replaced.
    ///
    /// What then exceeds a limit is dropped from the end, never the member just added: beyond
    /// [`MAX_TRACE_STATE_MEMBERS`] the oldest, beyond [`MAX_TRACE_STATE_BYTES`] those longer than
    /// 128 characters first.
    ///
    /// See Trace Context Level 2, section "Mutating the tracestate Field".
    ///
    /// # Errors
    ///
    /// `key` or `value` is not what the grammar of the specification allows. A trailing space is
    /// not allowed in a value.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, TraceStateError> {
        if !is_key(key.as_bytes()) {
            return Err(TraceStateError::InvalidKey);
        }
        let added = format!("{key}={value}");
        // A comma in the value would make two members of it, white space behind it a shorter one.
        let member = scan(added.as_bytes(), 0)?.member(added.as_bytes());
        let Some(member) = member.filter(|member| member.text.len() == added.len()) else {
            return Err(TraceStateError::InvalidValue);
        };
        let mut members = vec![member];
        members.extend(self.members().filter(|member| member.key() != key.as_bytes()));
        members.truncate(MAX_TRACE_STATE_MEMBERS);
        shorten(&mut members, 1);
        Ok(join(&members))
    }

    /// The value of the `tracestate` header to send; `None` where none is to be sent.
    #[must_use]
    pub const fn header(&self) -> Option<&HeaderValue> {
        self.0.as_ref()
    }

    /// Reads the only line of a message, and says how many members are not kept. One that is within
    /// limits is kept as it is, without a copy.
    #[inline]
    pub(crate) fn from_line(line: FieldValue<'_>) -> Result<(Self, LeftOut), TraceStateError> {
        let list = line.as_bytes();
        if check(list)? == Members::Compact && list.len() <= MAX_TRACE_STATE_BYTES {
            return Ok((Self(line.to_header()), LeftOut::default()));
        }
        Ok(Self::within_limits(list))
    }

    /// Combines the lines of one message in order. What is copied is bounded by what a valid list may
    /// hold, however long the lines are.
    pub(crate) fn from_lines<'a>(
        lines: impl Iterator<Item = FieldValue<'a>>,
    ) -> Result<(Self, LeftOut), TraceStateError> {
        let (mut list, mut count) = (Vec::new(), 0);
        for line in lines.map(FieldValue::as_bytes) {
            let mut at = 0;
            while at <= line.len() {
                let scanned = scan(line, at)?;
                at = scanned.next;
                let Some(member) = scanned.member(line) else { continue };
                count += 1;
                if count > MAX_TRACE_STATE_MEMBERS {
                    return Err(TraceStateError::TooMany);
                }
                if count > 1 {
                    list.push(b',');
                }
                list.extend_from_slice(member.text);
            }
        }
        check(&list)?;
        Ok(Self::within_limits(&list))
    }

    /// As much of a valid list as is to be kept, and how many members are not. Of members with the
    /// same key the first is kept, which is the newest: a list with a key twice was made by somebody
    /// who should not have, and "vendors MAY also discard duplicate keys" (section 3.5), not the list.
    #[cold]
    fn within_limits(list: &[u8]) -> (Self, LeftOut) {
        let (mut kept, mut repeated) = (Vec::<Member<'_>>::new(), 0);
        for member in members(list) {
            if kept.iter().any(|other| other.key() == member.key()) {
                repeated += 1;
            } else {
                kept.push(member);
            }
        }
        let count = kept.len();
        shorten(&mut kept, 0);
        (join(&kept), LeftOut { repeated, too_long: count - kept.len() })
    }

    fn members(&self) -> impl Iterator<Item = Member<'_>> {
        members(self.0.as_ref().map_or(b"", HeaderValue::as_bytes))
    }
}

impl FromStr for TraceState {
    type Err = TraceStateError;

    /// Reads a whole list, as the header has it. As when received, what is too long is shortened, and
    /// of members with the same key the first counts.
    fn from_str(text: &str) -> Result<Self, TraceStateError> {
        Self::from_line(FieldValue::from(text)).map(|(state, _)| state)
    }
}

impl fmt::Debug for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TraceState ")?;
        f.debug_set().entries(self.iter().map(|(key, _)| key)).finish()
    }
}

/// Why a `tracestate`, or a member of one, is not valid. It never holds what was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceStateError {
    /// A key is not 1 to 256 of `a-z 0-9 _ - * / @`, beginning with a letter or digit.
    InvalidKey,
    /// A value is not 1 to 256 printable ASCII characters without `,` and `=`, or ends in a space.
    InvalidValue,
    /// There are more than [`MAX_TRACE_STATE_MEMBERS`] members.
    TooMany,
}

impl TraceStateError {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::InvalidKey => "invalid key",
            Self::InvalidValue => "invalid value",
            Self::TooMany => "more than 32 members",
        }
    }
}

impl fmt::Display for TraceStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a valid tracestate: {}", self.reason())
    }
}

impl std::error::Error for TraceStateError {}

/// How many members of a valid list are not kept.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Behind another with the same key.
    pub(crate) repeated: usize,
    /// Beyond [`MAX_TRACE_STATE_BYTES`].
    pub(crate) too_long: usize,
}

/// The members of a valid list.
#[derive(PartialEq)]
enum Members {
    /// One for each key and nothing else, not even empty ones.
    Compact,
    /// Empty ones among them, or some with the same key.
    Loose,
}

/// Whether a whole list is valid: each member, and their number.
#[inline]
fn check(list: &[u8]) -> Result<Members, TraceStateError> {
    let (mut at, mut count, mut members) = (0, 0, Members::Compact);
    let (mut seen, mut alike) = (0u64, false);
    while at <= list.len() {
        let scanned = scan_here(list, at)?;
        at = scanned.next;
        // Empty members are allowed and mean nothing; the limit is for the others.
        if scanned.is_empty() {
            members = Members::Loose;
            continue;
        }
        count += 1;
        if count > MAX_TRACE_STATE_MEMBERS {
            return Err(TraceStateError::TooMany);
        }
        // Keys of another length or first character differ; mostly that settles it.
        let first = list.get(scanned.start).copied().map_or(0, usize::from);
        let kind = 1 << (((scanned.equals - scanned.start) * 3 + first) % 64);
        alike |= seen & kind != 0;
        seen |= kind;
    }
    if alike && has_duplicate(list) {
        members = Members::Loose;
    }
    Ok(members)
}

/// Whether two members have the same key, in a list that is valid but for that.
#[cold]
fn has_duplicate(list: &[u8]) -> bool {
    let mut keys = [&[] as &[u8]; MAX_TRACE_STATE_MEMBERS];
    // A plain loop: adapters have the compiler repeat what finds a member for each of the places, 20 kB of it.
    for (before, member) in members(list).enumerate() {
        let key = member.key();
        if keys.iter().take(before).any(|other| *other == key) {
            return true;
        }
        if let Some(place) = keys.get_mut(before) {
            *place = key;
        }
    }
    false
}

/// Drops whole members until the rest fits, never one of the first `keep` nor the last one left:
/// the long ones from the end, then any from the end (section 3.3.3.1 "tracestate Limits").
fn shorten(members: &mut Vec<Member<'_>>, keep: usize) {
    // The commas between members are one fewer than the members.
    let mut len = members.iter().map(|member| member.text.len() + 1).sum::<usize>();
    while len > MAX_TRACE_STATE_BYTES + 1 && members.len() > 1 {
        let long = members.iter().rposition(|member| member.text.len() > LONG_MEMBER);
        let dropped = long.filter(|&index| index >= keep).unwrap_or(members.len() - 1);
        len -= members.remove(dropped).text.len() + 1;
    }
}

fn join(members: &[Member<'_>]) -> TraceState {
    let texts: Vec<_> = members.iter().map(|member| member.text).collect();
    let line = texts.join(&b',');
    // Every byte of a member is printable ASCII, so this does not fail.
    TraceState((!line.is_empty()).then(|| HeaderValue::try_from(line).ok()).flatten())
}

#[cfg(test)]
mod tests;
