//! Edits of a text by byte offsets, so that what is not edited stays as it was formatted.
//!
//! # Invariants
//! 1. Two edits of one [`Edits`] never overlap: one that would is refused, and comes again in a later round.
//! 2. The same edit twice is one edit: two targets of a package report one place twice.

use std::ops::Range;

/// One change: what stands at `range` becomes `text`. An empty range inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
}

impl Edit {
    pub(crate) fn insert(at: usize, text: impl Into<String>) -> Edit {
        Edit { range: at..at, text: text.into() }
    }

    pub(crate) fn replace(range: Range<usize>, text: impl Into<String>) -> Edit {
        Edit { range, text: text.into() }
    }

    pub(crate) fn remove(range: Range<usize>) -> Edit {
        Edit { range, text: String::new() }
    }

    fn overlaps(&self, other: &Edit) -> bool {
        let (a, b) = (&self.range, &other.range);
        if a.is_empty() && b.is_empty() {
            return a.start == b.start;
        }
        a.start < b.end && b.start < a.end
    }
}

/// Edits of one text that go together.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    edits: Vec<Edit>,
}

impl Edits {
    /// Whether all of them are there now. None is taken if one overlaps with what is there.
    pub(crate) fn add(&mut self, new: Vec<Edit>) -> bool {
        let new: Vec<_> = new.into_iter().filter(|edit| !self.edits.contains(edit)).collect();
        if new.iter().any(|edit| self.edits.iter().any(|old| old.overlaps(edit))) {
            return false;
        }
        self.edits.extend(new);
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Applies all of them to `text`, and moves the offsets in `marks` to where their places are then.
    pub(crate) fn apply<'a>(
        mut self,
        text: &str,
        marks: impl Iterator<Item = &'a mut usize>,
    ) -> String {
        // lines end as the others of the file do
        if text.contains("\r\n") {
            for edit in &mut self.edits {
                edit.text = edit.text.replace("\r\n", "\n").replace('\n', "\r\n");
            }
        }
        self.edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        let mut result = String::with_capacity(text.len());
        let mut done = 0;
        for edit in &self.edits {
            result.push_str(text.get(done..edit.range.start).unwrap_or_default());
            result.push_str(&edit.text);
            done = edit.range.end;
        }
        result.push_str(text.get(done..).unwrap_or_default());
        for mark in marks {
            let before = self.edits.iter().take_while(|edit| edit.range.end <= *mark);
            let (more, less) = before.fold((0, 0), |(more, less), edit| {
                (more + edit.text.len(), less + edit.range.len())
            });
            *mark = *mark + more - less;
        }
        result
    }
}

/// The white space that stands before `at` in its line, if there is nothing else.
pub(crate) fn indent(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?;
    let line = &before[before.rfind('\n').map_or(0, |end| end + 1)..];
    line.chars().all(|c| c == ' ' || c == '\t').then_some(line)
}

/// The number of the line of `at`, from 1.
pub(crate) fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_edited_stays_and_marks_move_along() {
        let mut edits = Edits::default();
        assert!(edits.add(vec![Edit::insert(0, "(")]));
        assert!(edits.add(vec![Edit::insert(3, ")")]));
        assert!(edits.add(vec![Edit::insert(3, ")")]), "the same edit is there already");
        assert!(!edits.add(vec![Edit::insert(3, "?")]), "two at one place have no order");
        assert!(edits.add(vec![Edit::remove(4..6)]));
        let mut marks = [0, 3, 6];
        let text = edits.apply("abc\n  d", marks.iter_mut());
        assert_eq!(text, "(abc)\nd");
        assert_eq!(marks, [1, 5, 6]);
    }

    #[test]
    fn lines_and_indents() {
        let text = "a\n    b c";
        assert_eq!((line(text, 0), line(text, 6)), (1, 2));
        assert_eq!(indent(text, 6), Some("    "));
        assert_eq!(indent(text, 8), None);
    }
}
