//! The code blocks of the README are parts of files that are compiled, word for word.

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
    let file = include_str!("../../examples/quickstart/src/bin/checkout.rs");
    let blocks = blocks(readme, "rust,ignore");
    assert_eq!(blocks.len(), 1, "a block of Rust that this test does not know");
    assert_eq!(readme.matches("```rust").count(), 1, "a block of Rust in another form");
    assert!(file.contains(blocks[0]), "README.md and checkout.rs differ");
}
