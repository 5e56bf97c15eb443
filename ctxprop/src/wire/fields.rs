//! The lines that one message has of the [headers](super::headers) that mean something.
//!
//! A message is walked over once, because a walk costs less than looking up nine names of which
//! few are there.

use super::carrier::Extract;
use super::headers::{FIELDS, Field, FieldSet};
use crate::field_value::FieldValue;

/// The lines of one message, by field.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    present: FieldSet,
    /// The first line of each, and the only one in most messages.
    first: [Option<FieldValue<'a>>; FIELDS.len()],
    more: Vec<(Field, FieldValue<'a>)>,
}

impl<'a> Fields<'a> {
    #[inline]
    pub(super) fn of(carrier: &'a (impl Extract + ?Sized)) -> Self {
        let mut fields = Self::default();
        fields.collect(carrier);
        fields
    }

    #[inline]
    pub(super) fn collect<C: Extract + ?Sized>(&mut self, carrier: &'a C) {
        let named = if C::LOWER_CASE { Field::named_exactly } else { Field::named };
        for (name, line) in carrier.lines() {
            let Some(field) = named(name) else { continue };
            if self.lacks(field) {
                self.present = self.present.with(field, true);
                self.first[field as usize] = Some(line);
            } else {
                self.more.push((field, line));
            }
        }
    }

    /// Whether there is no line of the field.
    #[inline]
    pub(super) fn lacks(&self, field: Field) -> bool {
        !self.present.has(field)
    }

    /// Which of these have a line.
    #[inline]
    pub(super) fn present(&self, fields: FieldSet) -> FieldSet {
        self.present.common(fields)
    }

    /// The line of the field, where there is exactly one.
    #[inline]
    pub(super) fn only(&self, field: Field) -> Option<FieldValue<'a>> {
        self.first[field as usize].filter(|_| self.more_of(field).next().is_none())
    }

    /// All lines of the field, in order.
    pub(super) fn all(&self, field: Field) -> impl Iterator<Item = FieldValue<'a>> + Clone {
        self.first[field as usize].into_iter().chain(self.more_of(field))
    }

    #[inline]
    fn more_of(&self, field: Field) -> impl Iterator<Item = FieldValue<'a>> + Clone {
        self.more.iter().filter(move |(of, _)| *of == field).map(|(_, line)| *line)
    }
}
