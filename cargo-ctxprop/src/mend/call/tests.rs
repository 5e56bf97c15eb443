//! Where a context goes, by what rustc underlines.

use std::path::Path;

use super::mend;
use crate::check::{Diagnostic, Span};
use crate::edit::Edits;
use crate::index::Index;
use crate::mend::{Case, Workspace};
use crate::project::Source;

/// `text` with the mend of an error at the last place where `underlined` stands.
fn mended(text: &str, underlined: &str) -> String {
    let start = text.rfind(underlined).expect("it is in the text");
    let span = Span {
        file_name: "src/lib.rs".to_owned(),
        byte_start: start,
        byte_end: start + underlined.len(),
        line_start: 1,
        is_primary: true,
        label: None,
        suggested_replacement: None,
        expansion: None,
    };
    let error = Diagnostic {
        message: "`NeedsCtx` is not a future: this call was given no context".to_owned(),
        code: None,
        level: "error".to_owned(),
        spans: Vec::new(),
        children: Vec::new(),
        rendered: None,
    };
    let (original, index) = (text.to_owned(), Index::of(text).expect("a Rust file"));
    let (wanted, by_path) = Default::default();
    let source = Source {
        text: original.clone(),
        original,
        index,
        package: 0,
        test: false,
        wanted,
        by_path,
    };
    let known = Workspace { needing: ["serve", "stopped"].map(str::to_owned).into() };
    let path = Path::new("src/lib.rs");
    let case = Case { error: &error, path, source: &source, span: &span, known: &known };
    let mut edits = Edits::default();
    assert!(edits.add(mend(&case).expect("it is understood").edits));
    edits.apply(text, std::iter::empty())
}

#[test]
fn what_is_awaited_in_an_annotated_function_has_its_context() {
    for call in ["serve(1, stopped(2))", "serve::<Vec<u8>>(1, stopped(2))"] {
        let text = format!("#[propagate]\nasync fn run() {{\n    {call}.await\n}}\n");
        let given = text.replace("stopped(2)", "stopped(2).in_current()");
        assert_eq!(mended(&text, "await"), given);
        assert_eq!(mended(&text, "stopped(2)"), given);
    }
}

#[test]
fn elsewhere_it_is_given_one() {
    let text = "async fn run() {\n    serve(1).await\n}\n";
    let given = text.replace("serve(1)", "serve(1).with(&Ctx::background())");
    assert_eq!(mended(text, "await"), given);
}

#[test]
fn what_a_macro_makes_takes_its_context_along() {
    let text = "#[propagate]\nasync fn run() {\n    later! { f() }\n    let tasks = {\n        later! { serve(1).await }\n    };\n}\n";
    let given = text
        .replace("        later!", "        let ctx = Ctx::current();\n        later!")
        .replace("serve(1)", "serve(1).with(&ctx)");
    assert_eq!(mended(text, "await"), given);
}

#[test]
fn it_is_not_named_as_something_else_is() {
    let text =
        "#[propagate]\nasync fn run() {\n    let ctx = 1;\n    vec![later!(serve(ctx))]\n}\n";
    let given = text
        .replace("    vec!", "    let current_ctx = Ctx::current();\n    vec!")
        .replace("serve(ctx)", "serve(ctx).with(&current_ctx)");
    assert_eq!(mended(text, "serve(ctx)"), given);
}

#[test]
fn what_is_borrowed_has_its_context_where_it_was_made() {
    let text = "fn run() {\n    stream! {\n        let call = a::serve(1);\n        pin_mut!(call);\n        let done = select! { done = &mut call => done };\n        (&mut call).await\n    }\n}\n";
    let given = text.replace("serve(1)", "serve(1).with(&Ctx::background())");
    assert_eq!(mended(text, "select! { done = &mut call => done }"), given);
    assert_eq!(mended(text, "await"), given);
}
