//! A closure that borrows the context of the function around it, and is asked to live longer: rustc says `move`.

use super::{Case, Mend};
use crate::edit::Edit;
use crate::report::MendKind;

pub(crate) fn mend(case: &Case<'_>) -> Option<Mend> {
    if case.error.code() != "E0373" || !case.error.message.contains("`propagated_ctx`") {
        return None;
    }
    // of the macro's closure only what is the user's: where its `|` stands
    let at = case.span.byte_start;
    let text = case.source.text.get(at..)?;
    text.starts_with('|').then(|| Mend {
        path: case.path.to_owned(),
        kind: MendKind::Moved,
        edits: vec![Edit::insert(at, "move ")],
        names: Vec::new(),
        note: None,
    })
}
