//! The code blocks of the README are parts of files that are compiled, word for word, and those of the pages are all
//! doctests.

/// The blocks of `language` in `text`.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(block, _)| block))
        .collect()
}

#[test]
fn the_quick_start_is_compiled() {
    let readme = include_str!("../../README.md");
    let blocks = blocks(readme, "rust,ignore");
    assert_eq!(blocks.len(), 2, "a block of Rust that this test does not know");
    assert_eq!(readme.matches("```rust").count(), 2, "a block of Rust in another form");
    let hello = include_str!("../../examples/quickstart/src/bin/hello.rs");
    assert!(hello.contains(blocks[0]), "README.md and hello.rs differ");
    let checkout = include_str!("../../examples/quickstart/src/bin/checkout.rs");
    assert!(checkout.contains(blocks[1]), "README.md and checkout.rs differ");
}

#[test]
fn all_code_of_the_pages_is_compiled() {
    for page in [
        include_str!("../../ctxprop-axum/docs/adopting.md"),
        include_str!("../../ctxprop-axum/docs/middleware.md"),
        include_str!("../../ctxprop-axum/docs/shared-work.md"),
        include_str!("../../ctxprop-axum/docs/shutdown.md"),
        include_str!("../../ctxprop-axum/docs/streams.md"),
        include_str!("../../docs/testing.md"),
        include_str!("../../ctxprop/docs/derive-baggage.md"),
        include_str!("../../ctxprop/docs/messages.md"),
        include_str!("../../ctxprop/docs/propagate.md"),
        include_str!("../../ctxprop/docs/trust.md"),
        include_str!("../../ctxprop/docs/wire.md"),
    ] {
        let fences = page.lines().filter_map(|line| line.trim_start().strip_prefix("```"));
        let opening = fences.step_by(2);
        let known = ["", "rust", "compile_fail", "no_run", "rust,test_harness", "text", "toml"];
        opening.for_each(|kind| assert!(known.contains(&kind), "not compiled: ```{kind}"));
    }
}

/// Lines without what they are indented by, and without the marks of a doc comment.
fn bare(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim().trim_start_matches("//!").trim_start());
    lines.fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn the_code_of_the_other_pages_is_a_part_of_files_that_are_compiled() {
    let pages = [
        (
            include_str!("../../docs/databases.md"),
            &[
                include_str!("../../ctxprop-sqlx/src/lib.rs"),
                include_str!("../../examples/shop/tests/database.rs"),
            ][..],
        ),
        (include_str!("../../docs/shop.md"), &[include_str!("../../examples/shop/src/orders.rs")]),
    ];
    for (page, sources) in pages {
        let blocks = blocks(page, "rust");
        assert_eq!(blocks.len(), sources.len(), "a block of Rust that this test does not know");
        for (block, source) in blocks.into_iter().zip(sources) {
            assert!(bare(source).contains(&bare(block)), "not compiled:\n{block}");
        }
    }
}
