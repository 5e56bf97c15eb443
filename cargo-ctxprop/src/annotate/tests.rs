//! What becomes of a file by syntax alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{all, traits};
use crate::index::Index;
use crate::project::{Project, Source};
use crate::report::Report;

fn annotated(text: &str) -> String {
    let index = Index::of(text).expect("a Rust file");
    let (wanted, by_path) = Default::default();
    let (original, text) = (text.to_owned(), text.to_owned());
    let source = Source { original, text, index, package: 0, test: false, wanted, by_path };
    let path = PathBuf::from("src/lib.rs");
    let sources = BTreeMap::from([(path.clone(), source)]);
    let mut project = Project { root: PathBuf::new(), sources, unreadable: Vec::new() };
    let (traits, mut report) = (traits(&project), Report::default());
    all(&mut project, &traits, &mut report);
    let source = project.sources.get_mut(&path).expect("there");
    let imports = source.imports();
    source.apply(imports, std::iter::empty()).expect("a Rust file still");
    assert!(report.left.is_empty(), "{:?}", report.left);
    source.text.clone()
}

#[test]
fn attributes_and_docs_stay_above_and_format_stays() {
    let text = "\u{feff}//! Docs.\r\n\r\n/// More.\r\n#[inline] // why\r\npub(crate)   async fn a( ) {}\r\n";
    let expected = "\u{feff}//! Docs.\r\n\r\nuse ctxprop::propagate;\r\n\r\n/// More.\r\n#[inline] // why\r\n#[propagate]\r\npub(crate)   async fn a( ) {}\r\n";
    assert_eq!(annotated(text), expected);
}

#[test]
fn entry_points_and_tests_are_left() {
    let text = "#[tokio::main]
async fn main() {}

#[cfg(test)]
mod tests {
    async fn helper() {}

    #[tokio::test]
    async fn test() {}

    trait Fake {
        async fn fake(&self);
    }
}

extern \"C\" {
    fn c();
}

fn plain() {}
";
    assert_eq!(annotated(text), text);
}

#[test]
fn the_import_goes_among_those_of_crates() {
    let text = "use std::time::Duration;\n\nuse bytes::Bytes;\nuse tokio::time;\n\nuse crate::A;\n\nasync fn a() {}\n";
    let changed = annotated(text);
    assert!(
        changed
            .contains("use bytes::Bytes;\nuse ctxprop::propagate;\nuse tokio::time;\n\nuse crate"),
        "{changed}"
    );
    let inner = annotated("mod a {\n    use std::fmt;\n\n    async fn b() {}\n}\n");
    assert_eq!(
        inner,
        "mod a {\n    use std::fmt;\n\n    use ctxprop::propagate;\n\n    #[propagate]\n    async fn b() {}\n}\n"
    );
}

#[test]
fn another_propagate_is_not_taken_for_ours() {
    let changed = annotated("use log::propagate;\n\nasync fn a() {}\n");
    assert_eq!(changed, "use log::propagate;\n\n#[ctxprop::propagate]\nasync fn a() {}\n");
}

#[test]
fn traits_of_the_workspace_and_foreign_ones() {
    let text = "use async_trait::async_trait;

#[async_trait]
trait Boxed {
    async fn a(&self);
}

#[async_trait(?Send)]
trait Local {
    async fn a(&self);
}

#[async_trait]
impl Boxed for u8 {
    async fn a(&self) {}
}

#[async_trait]
impl Foreign for u8 {
    async fn b(&self) {}
}

impl Iterator for U {
    fn next(&mut self) -> Option<()> {
        None
    }
}
";
    let changed = annotated(text);
    assert!(changed.contains("#[propagate(boxed)]\ntrait Boxed"), "{changed}");
    assert!(changed.contains("#[propagate(boxed, local)]\ntrait Local"), "{changed}");
    assert!(changed.contains("#[propagate(boxed)]\nimpl Boxed for u8"), "{changed}");
    assert!(changed.contains("#[async_trait]\nimpl Foreign for u8"), "{changed}");
    assert!(
        changed.contains("use async_trait::async_trait;\nuse ctxprop::propagate;\n"),
        "{changed}"
    );
}

#[test]
fn fakes_in_tests_have_the_form_of_their_trait() {
    let text = "trait Store {
    async fn get(&self);
}

#[cfg(test)]
mod tests {
    impl super::Store for u8 {
        async fn get(&self) {}
    }
}
";
    let changed = annotated(text);
    assert!(changed.contains("    #[propagate]\n    impl super::Store for u8"), "{changed}");
}

#[test]
fn futures_of_traits_become_async() {
    let text = "trait Store {
    fn get(&self, key: &str) -> impl Future<Output = Option<u8>> + Send + '_;
    fn put(&self) -> impl std::future::Future<Output = ()> { async {} }
    fn has(&self) -> impl Future<Output = bool> + Send {
        async move {
            self.get(\"a\").await.is_some()
        }
    }
    fn names(&self) -> impl Iterator<Item = u8>;
}
";
    let expected = "use ctxprop::propagate;

#[propagate]
trait Store {
    async fn get(&self, key: &str) -> Option<u8>;
    async fn put(&self) { async {}.await }
    async fn has(&self) -> bool {
        self.get(\"a\").await.is_some()
    }
    fn names(&self) -> impl Iterator<Item = u8>;
}
";
    assert_eq!(annotated(text), expected);
}

#[test]
fn handlers_that_are_checked_name_their_context() {
    let changed = annotated("#[axum::debug_handler]\nasync fn show(id: Path<u8>) {}\n");
    assert_eq!(
        changed,
        "use ctxprop::{Ctx, propagate};\n\n#[axum::debug_handler]\n#[propagate]\nasync fn show(ctx: Ctx, id: Path<u8>) {}\n"
    );
}

#[test]
fn what_has_the_attribute_keeps_it() {
    let text = "use ctxprop::{Ctx, propagate};\n\n#[propagate(span)]\nasync fn a(ctx: &Ctx) {}\n\nmod b {}\n";
    assert_eq!(annotated(text), text);
}

#[test]
fn what_writes_an_impl_reads_what_is_not_yet_rewritten() {
    let text = "#[cfg_attr(test, mockall::automock)]\n#[async_trait]\npub trait Store {\n    async fn get(&self);\n}\n";
    let expected = "use ctxprop::propagate;\n\n#[propagate(boxed)]\n#[cfg_attr(test, mockall::automock)]\npub trait Store {\n    async fn get(&self);\n}\n";
    assert_eq!(annotated(text), expected);
    let text = "#[automock]\ntrait Store {\n    async fn get(&self);\n}\n";
    let expected = "use ctxprop::propagate;\n\n#[propagate]\n#[automock]\ntrait Store {\n    async fn get(&self);\n}\n";
    assert_eq!(annotated(text), expected);
    let text = "/// Docs.\n#[enum_dispatch]\n#[allow(async_fn_in_trait)]\npub trait Shape {\n    async fn area(&self);\n}\n\n#[enum_dispatch(Shape)]\nenum Any {\n    Square(Square),\n}\n";
    let expected = text.replace("#[enum_dispatch]", "#[propagate]\n#[enum_dispatch]");
    assert_eq!(annotated(text), format!("use ctxprop::propagate;\n\n{expected}"));
}

#[test]
fn futures_that_borrow_nothing_stay() {
    let text = "trait Sends {\n    fn send(&mut self) -> impl Future<Output = ()> + Send + 'static;\n    async fn receive(&mut self);\n}\n";
    let expected = "use ctxprop::propagate;\n\n#[propagate]\ntrait Sends {\n    #[propagate(skip)]\n    fn send(&mut self) -> impl Future<Output = ()> + Send + 'static;\n    async fn receive(&mut self);\n}\n";
    assert_eq!(annotated(text), expected);
}

#[test]
fn services_of_tonic_keep_what_their_trait_asks_for() {
    let text = "/// Greets.\n#[tonic::async_trait]\nimpl pb::greeter_server::Greeter for Desk {\n    async fn say(&self) {}\n}\n";
    let expected = "use ctxprop::propagate;\n\n/// Greets.\n#[propagate]\n#[tonic::async_trait]\nimpl pb::greeter_server::Greeter for Desk {\n    async fn say(&self) {}\n}\n";
    assert_eq!(annotated(text), expected);
    let text = "use tonic::{Status, async_trait};\n\n#[async_trait]\nimpl Greeter for Desk {\n    async fn say(&self) {}\n}\n";
    let expected = "use ctxprop::propagate;\nuse tonic::{Status, async_trait};\n\n#[propagate]\n#[async_trait]\nimpl Greeter for Desk {\n    async fn say(&self) {}\n}\n";
    assert_eq!(annotated(text), expected);
    // nobody knows under what the methods of others run
    let text = "use async_trait::async_trait;\n\n#[async_trait]\nimpl Greeter for Desk {\n    async fn say(&self) {}\n}\n";
    assert_eq!(annotated(text), text);
    let text = "#[cfg(test)]\nmod tests {\n    #[tonic::async_trait]\n    impl Greeter for Fake {\n        async fn say(&self) {}\n    }\n}\n";
    assert_eq!(annotated(text), text);
}
