//! A function that is passed on by its name: what takes it wants a function that gives a future. It becomes a closure that
//! gives the call its context.

use super::{Case, Mend, context, handler};
use crate::edit::Edit;
use crate::project::Project;
use crate::report::MendKind;
use crate::tokens::{self, Token};

pub(crate) fn mend(case: &Case<'_>, project: &Project) -> Option<Mend> {
    // A handler runs under the context of its request, and no other may be written here: where its definition is not known
    // for sure, it is left.
    if handler::is_asked_for(case) || !case.error.texts().any(|text| text.contains("NeedsCtx")) {
        return None;
    }
    let row = &case.index().tokens;
    let first = tokens::first_from(row, case.span.byte_start);
    let mut behind = tokens::first_from(row, case.span.byte_end);
    // rustc may underline the method that takes it
    if let Some((_, close)) = tokens::arguments(row, first).filter(|_| behind == first + 1) {
        behind = close;
    }
    let mut values: Vec<_> = (first..behind).filter(|at| is_value(case, row, *at)).collect();
    if values.is_empty() {
        // `ids.map(load).collect::<JoinSet<_>>()`: rustc underlines what comes of it
        let statement = case.index().statement_at(case.span.byte_start)?;
        let from = tokens::first_from(row, statement.start);
        let to = tokens::first_from(row, statement.end);
        values = (from..to).filter(|at| is_value(case, row, *at)).collect();
    }
    let last = values.pop().filter(|_| values.is_empty())?;
    let start = start_of_path(row, last);
    let name = row[last].ident()?;
    let parameters = parameters(project, name)?;
    let whole = row[start].range.start..row[last].range.end;
    let path = case.source.text.get(whole.clone())?;
    let mut context = context::at(case.source, whole.start);
    let call = format!("{path}({parameters})");
    let in_macro = case.index().macro_around(whole.start).is_some();
    let text = if context.kind == MendKind::InCurrent && !in_macro {
        // The one that is current where it is called, or this one where none is.
        context.names.clear();
        format!("move |{parameters}| {call}.in_current()")
    } else if context.kind == MendKind::InCurrent {
        format!("{{ let ctx = {}; move |{parameters}| {call}.with(&ctx) }}", context.owned)
    } else {
        format!("|{parameters}| {call}.with({})", context.borrowed)
    };
    let mut edits: Vec<_> = context.first.take().into_iter().collect();
    edits.push(Edit::replace(whole, text));
    Some(Mend {
        path: case.path.to_owned(),
        kind: MendKind::Value,
        edits,
        names: context.names,
        note: Some(format!(
            "`{name}` runs under the context that is current here: should what calls it later give one?"
        )),
    })
}

/// Whether a token names a function of ours that is passed on: an argument that is nothing but a path.
pub(super) fn is_value(case: &Case<'_>, row: &[Token], at: usize) -> bool {
    let Some(name) = row[at].ident() else { return false };
    if !case.known.needing.contains(name) || super::is_local(case, at) {
        return false;
    }
    let ends = row.get(at + 1).is_some_and(|next| next.is_punct(',') || next.is_close());
    let start = start_of_path(row, at);
    let begins = start
        .checked_sub(1)
        .is_some_and(|before| row[before].is_punct(',') || row[before].is_open());
    ends && begins
}

fn start_of_path(row: &[Token], last: usize) -> usize {
    let mut start = last;
    while start >= 3
        && row[start - 1].is_punct(':')
        && row[start - 2].is_punct(':')
        && row[start - 3].ident().is_some()
    {
        start -= 3;
    }
    start
}

/// `a, b`, as many as every function of that name has.
fn parameters(project: &Project, name: &str) -> Option<String> {
    let mut counts =
        handler::definitions(project, name).map(|(_, _, function)| function.types.len());
    let count = counts.next()?;
    let names = ["a", "b", "c", "d", "e", "f"].get(..count)?;
    counts.all(|other| other == count).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};

    use super::mend;
    use crate::check::{Diagnostic, Span};
    use crate::edit::Edits;
    use crate::index::Index;
    use crate::mend::{Case, Workspace};
    use crate::project::{Project, Source};

    const TEXT: &str = "#[propagate]\nasync fn serve(id: u8) -> u8 {\n    id\n}\nfn main() {\n    later!(serve);\n}\n";

    fn source() -> Source {
        Source {
            original: TEXT.to_owned(),
            text: TEXT.to_owned(),
            index: Index::of(TEXT).expect("a Rust file"),
            package: 0,
            test: false,
            wanted: BTreeMap::new(),
            by_path: BTreeSet::new(),
        }
    }

    /// [`TEXT`] after an error that says this about the function that is passed on.
    fn mended(message: &str) -> Option<String> {
        let at = TEXT.rfind("serve").expect("it is in the text");
        let span = Span {
            file_name: "src/lib.rs".to_owned(),
            byte_start: at,
            byte_end: at + "serve".len(),
            line_start: 6,
            is_primary: true,
            label: None,
            suggested_replacement: None,
            expansion: None,
        };
        let error = Diagnostic {
            message: message.to_owned(),
            code: None,
            level: "error".to_owned(),
            spans: Vec::new(),
            children: Vec::new(),
            rendered: None,
        };
        let (path, source) = (Path::new("src/lib.rs"), source());
        let known = Workspace { needing: ["serve".to_owned()].into() };
        let project = Project {
            root: PathBuf::new(),
            sources: [(path.to_owned(), self::source())].into(),
            unreadable: Vec::new(),
        };
        let case = Case { error: &error, path, source: &source, span: &span, known: &known };
        let mend = mend(&case, &project)?;
        let mut edits = Edits::default();
        assert!(edits.add(mend.edits));
        Some(edits.apply(TEXT, std::iter::empty()))
    }

    #[test]
    fn a_function_that_is_passed_on_becomes_a_closure() {
        let given = TEXT
            .replace("later!(serve)", "later!(|a| serve(a).with(&ctx))")
            .replace("    later", "    let ctx = Ctx::background();\n    later");
        assert_eq!(mended("expected a future, found `NeedsCtx<..>`"), Some(given));
    }

    #[test]
    fn a_handler_does_not() {
        let of = "fn(u8) -> NeedsCtx<..> {serve}";
        assert_eq!(
            mended(&format!("the trait bound `{of}: Handler<_, _>` is not satisfied")),
            None
        );
    }
}
