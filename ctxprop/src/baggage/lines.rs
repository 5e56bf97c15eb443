//! Baggage as it is sent: the values of one or more `baggage` headers, and how members are put
//! into lines that are short enough.

use std::sync::Arc;

use http::HeaderValue;

/// The longest line built here. nginx answers 400 to a header line, name included, of 8,190 bytes.
pub(crate) const MAX_LINE: usize = 8_000;

/// The lines of one message. There is at least one; one alone is not put on the heap.
#[derive(Debug, Clone)]
pub(crate) enum Lines {
    One(HeaderValue),
    Many(Arc<[HeaderValue]>),
}

impl Lines {
    pub(crate) fn as_slice(&self) -> &[HeaderValue] {
        match self {
            Self::One(line) => std::slice::from_ref(line),
            Self::Many(lines) => lines,
        }
    }
}

/// Collects members into lines, a new one where the last would become too long.
///
/// A member is never split: one that is longer than a line gets one of its own, because the
/// specification makes us pass on 8,192 bytes whatever they consist of.
#[derive(Debug, Default)]
pub(crate) struct LineBuilder {
    done: Vec<HeaderValue>,
    line: Vec<u8>,
    sensitive: bool,
}

impl LineBuilder {
    /// Begins a member that will be `len` bytes long; it is to be appended to the result.
    pub(crate) fn member(&mut self, len: usize, sensitive: bool) -> &mut Vec<u8> {
        if !self.line.is_empty() {
            if self.line.len() + 1 + len > MAX_LINE {
                self.end_line();
            } else {
                self.line.push(b',');
            }
        }
        self.sensitive |= sensitive;
        &mut self.line
    }

    /// The lines, or `None` if there was no member.
    pub(crate) fn finish(mut self) -> Option<Lines> {
        self.end_line();
        match self.done.len() {
            0 => None,
            1 => self.done.pop().map(Lines::One),
            _ => Some(Lines::Many(self.done.into())),
        }
    }

    fn end_line(&mut self) {
        // exactly as long as it is, or `HeaderValue` would allocate once more to share it
        let line = std::mem::take(&mut self.line).into_boxed_slice().into_vec();
        let sensitive = std::mem::take(&mut self.sensitive);
        // Members are printable ASCII, so this does not fail.
        if let Some(mut line) = HeaderValue::try_from(line).ok().filter(|line| !line.is_empty()) {
            line.set_sensitive(sensitive);
            self.done.push(line);
        }
    }
}
