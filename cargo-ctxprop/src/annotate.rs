//! The first step, by syntax alone: which functions, traits and `impl` blocks get the attribute, and in which form.
//!
//! | what | gets |
//! | --- | --- |
//! | a free `async fn`, a method of an `impl Type` block | `#[propagate]` |
//! | a trait of the workspace with async methods, each `impl` of it | `#[propagate]` on the block |
//! | the same under `#[async_trait]` | `#[propagate(boxed)]` in its place; `(?Send)`: `#[propagate(boxed, local)]` |
//! | a method of such a trait, `-> impl Future<Output = T>` | `async fn`, `-> T` |
//! | the same with `+ 'static`, which borrows nothing of its arguments | `#[propagate(skip)]`, in the trait |
//! | a function under `#[async_recursion]` | `#[propagate(boxed)]` in its place |
//! | a function under `#[debug_handler]` | `#[propagate]`, and a parameter `ctx: Ctx` |
//! | an `impl` under `#[tonic::async_trait]` of a trait that is generated | `#[propagate]` above that |
//! | entry points, what is for tests only, an `impl` of a foreign trait | nothing |

use std::collections::BTreeMap;
use std::ops::Range;

use proc_macro2::Delimiter;

use crate::edit::{Edit, Edits, indent};
use crate::index::{Attr, Block, BlockKind, Function, Index, Place, is_entry};
use crate::project::{Project, Source};
use crate::report::{Mark, MendKind, Report};
use crate::tokens::{self, TokenKind};

/// The form of a trait of the workspace, which each `impl` of it shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Boxed,
    BoxedLocal,
    /// That of a gRPC service, whose trait is generated and whose methods run under the context of the call.
    OfTonic,
}

impl Form {
    fn arguments(self) -> &'static str {
        match self {
            Form::Plain | Form::OfTonic => "",
            Form::Boxed => "(boxed)",
            Form::BoxedLocal => "(boxed, local)",
        }
    }
}

const OF_THE_CALL: &str = "its methods run under the context of the call, and panic where there is none: a test that calls them gives one, \
                           `ctx.scope(..)`";

/// Traits by name.
pub(crate) type Traits = BTreeMap<String, Form>;

/// The traits of the workspace whose methods are to carry a context.
pub(crate) fn traits(project: &Project) -> Traits {
    let mut traits = Traits::new();
    for source in project.sources.values() {
        for (number, block) in source.index.blocks.iter().enumerate() {
            let BlockKind::Trait(name) = &block.kind else { continue };
            let meant = source.index.functions.iter().any(|function| {
                function.block == Some(number)
                    && (function.is_async || function.future_of.is_some())
            });
            if meant && !is_for_tests(source, &block.place) {
                traits.insert(name.clone(), form(&block.place));
            }
        }
    }
    traits
}

fn form(place: &Place) -> Form {
    match place.attr("async_trait") {
        Some(attr) if attr.args == "?Send" => Form::BoxedLocal,
        Some(_) => Form::Boxed,
        None => Form::Plain,
    }
}

fn is_for_tests(source: &Source, place: &Place) -> bool {
    place.test || source.is_test(place.module)
}

/// Annotates all files of a project.
pub(crate) fn all(project: &mut Project, traits: &Traits, report: &mut Report) {
    for (path, source) in &mut project.sources {
        let mut edits = Edits::default();
        let mut counts = Vec::new();
        for number in 0..source.index.blocks.len() {
            let block = source.index.blocks[number].clone();
            let Some(form) = block_form(source, &block, traits) else { continue };
            let methods: Vec<_> = (source.index.functions.iter())
                .filter(|function| function.block == Some(number))
                .cloned()
                .collect();
            let becomes_async = |function: &&Function| {
                !function.is_async && function.future_of.is_some() && function.context.is_none()
            };
            if !methods.iter().any(|f| f.is_async || becomes_async(&f)) {
                continue;
            }
            let replaced: &[&str] = if form == Form::OfTonic { &[] } else { &["async_trait"] };
            let mut new = attribute(source, &block.place, replaced, form.arguments());
            if let BlockKind::Trait(_) = block.kind {
                for method in methods.iter().filter(|method| method.lasting_future) {
                    new.extend(attribute(source, &method.place, &[], "(skip)"));
                }
            }
            for method in methods.iter().filter(becomes_async) {
                new.extend(to_async(&source.index, &source.text, method));
            }
            let (start, functions) = (
                block.place.start,
                methods.iter().filter(|f| f.is_async || becomes_async(f)).count(),
            );
            if edits.add(new) {
                source.want(start, "propagate");
                counts.push(functions);
                if form == Form::OfTonic {
                    report.count(MendKind::InForeign);
                    report.marks.push(Mark {
                        path: path.clone(),
                        at: start,
                        kind: MendKind::InForeign,
                        text: OF_THE_CALL.to_owned(),
                    });
                }
            }
        }
        for number in 0..source.index.functions.len() {
            let function = source.index.functions[number].clone();
            if !is_meant(source, &function) {
                continue;
            }
            let boxed = function.place.attr("async_recursion").is_some();
            let mut new = attribute(
                source,
                &function.place,
                &["async_recursion"],
                if boxed { "(boxed)" } else { "" },
            );
            let takes_its_context =
                function.place.attr("debug_handler").is_some() && function.context.is_none();
            if takes_its_context {
                new.push(parameter(source, &function));
            }
            if edits.add(new) {
                source.want(function.place.start, "propagate");
                if takes_its_context {
                    source.want(function.place.start, "Ctx");
                    report.count(MendKind::Handler);
                    report.serving.insert(source.package);
                }
                counts.push(1);
            }
        }
        match source.apply(edits, report.marks(path)) {
            Ok(()) => report.annotated += counts.iter().sum::<usize>(),
            Err(error) => report.left(path, 0, format!("the annotated file is no Rust: {error}")),
        }
    }
}

/// The form of the attribute that a block gets, if it gets one.
fn block_form(source: &Source, block: &Block, traits: &Traits) -> Option<Form> {
    if block.place.attr("propagate").is_some() {
        return None;
    }
    match &block.kind {
        BlockKind::Inherent => None,
        BlockKind::Trait(_) if is_for_tests(source, &block.place) => None,
        BlockKind::Trait(name) => traits.get(name).copied(),
        // also in tests: a fake has the form of its trait
        BlockKind::Of(name) => {
            let Some(form) = traits.get(name).copied() else {
                let is_one = is_of_tonic(source, block) && !is_for_tests(source, &block.place);
                return is_one.then_some(Form::OfTonic);
            };
            // a foreign trait of the same name
            let boxed = block.place.attr("async_trait").is_some();
            (boxed == (form != Form::Plain)).then_some(form)
        }
    }
}

/// Whether it has tonic's `#[async_trait]`.
fn is_of_tonic(source: &Source, block: &Block) -> bool {
    let Some(attr) = block.place.attr("async_trait") else { return false };
    match &attr.of {
        Some(of) => of == "tonic",
        None => {
            let module = &source.index.modules[source.index.module_at(block.place.start)];
            module.of_tonic.contains(&attr.name)
        }
    }
}

/// Whether a function gets an attribute of its own.
fn is_meant(source: &Source, function: &Function) -> bool {
    let of_a_trait = function
        .block
        .is_some_and(|block| !matches!(source.index.blocks[block].kind, BlockKind::Inherent));
    function.is_async
        && !of_a_trait
        && !function.foreign_abi
        && !is_entry(&function.place)
        && !is_for_tests(source, &function.place)
        && function.place.attr("propagate").is_none()
}

/// `#[propagate..]` above an item, or in the place of an attribute that it makes superfluous.
fn attribute(source: &Source, place: &Place, replaced: &[&str], arguments: &str) -> Vec<Edit> {
    let name = source.written(place.start, "propagate");
    let text = format!("#[{name}{arguments}]");
    // What writes an `impl` reads the trait's `async fn`s, and has the attribute too then. tonic's `#[async_trait]` reads what is
    // left of them.
    let above = match place.attr("async_trait").filter(|_| replaced.is_empty()) {
        None => place.attrs.iter().find(|attr| writes_an_impl(attr)),
        of_tonic => of_tonic,
    };
    if let Some(first) = above {
        let mut edits = vec![Edit::insert(
            first.range.start,
            match indent(&source.text, first.range.start) {
                Some(indent) => format!("{text}\n{indent}"),
                None => format!("{text} "),
            },
        )];
        edits.extend(replaced.iter().filter_map(|name| place.attr(name)).map(|attr| {
            let rest = source.text.get(attr.range.end..).unwrap_or_default();
            Edit::remove(attr.range.start..attr.range.end + (rest.len() - rest.trim_start().len()))
        }));
        return edits;
    }
    if let Some(attr) = replaced.iter().find_map(|name| place.attr(name)) {
        return vec![Edit::replace(attr.range.clone(), text)];
    }
    vec![match indent(&source.text, place.start) {
        Some(indent) => Edit::insert(place.start, format!("{text}\n{indent}")),
        None => Edit::insert(place.start, format!("{text} ")),
    }]
}

/// Whether an attribute writes an `impl` of the trait that it stands on, and so goes behind ours.
fn writes_an_impl(attr: &Attr) -> bool {
    ["automock", "enum_dispatch"]
        .iter()
        .any(|name| attr.name == *name || attr.name == "cfg_attr" && attr.args.contains(name))
}

/// The parameter `ctx: Ctx` as the first one.
pub(crate) fn parameter(source: &Source, function: &Function) -> Edit {
    let ty = source.written(function.place.start, "Ctx");
    let (at, others) = function.parameters;
    let receiver = !others && source.text.get(..at).is_some_and(|before| !before.ends_with('('));
    Edit::insert(
        at,
        match (others, receiver) {
            // on a line of its own, as the others are
            (true, _) => match indent(&source.text, at) {
                Some(indent) => format!("ctx: {ty},\n{indent}"),
                None => format!("ctx: {ty}, "),
            },
            (false, true) => format!(", ctx: {ty}"),
            (false, false) => format!("ctx: {ty}"),
        },
    )
}

/// `fn f() -> impl Future<Output = T> + Send { .. }` becomes `async fn f() -> T { .. }`.
fn to_async(index: &Index, text: &str, function: &Function) -> Vec<Edit> {
    let (Some(output), Some(of)) = (&function.output, &function.future_of) else {
        return Vec::new();
    };
    let mut edits = vec![Edit::insert(function.fn_token, "async ")];
    let ty = text.get(of.clone()).unwrap_or_default();
    edits.push(if ty == "()" {
        // with the arrow
        let before = text.get(..output.start).unwrap_or_default();
        let arrow = before.rfind("->").map_or(output.start, |at| before[..at].trim_end().len());
        Edit::remove(arrow..output.end)
    } else {
        Edit::replace(output.clone(), ty)
    });
    if let Some(body) = &function.body {
        edits.extend(body_to_async(index, body));
    }
    edits
}

/// A body that is one async block becomes what is in it; another one's future is awaited.
fn body_to_async(index: &Index, body: &Range<usize>) -> Vec<Edit> {
    let row = &index.tokens;
    let open = tokens::first_from(row, body.start);
    let Some(TokenKind::Open(_, close)) = row.get(open).map(|token| token.kind.clone()) else {
        return Vec::new();
    };
    if close == open + 1 {
        return Vec::new();
    }
    if row[open + 1].ident() == Some("async") {
        let brace = if row[open + 2].ident() == Some("move") { open + 3 } else { open + 2 };
        if let TokenKind::Open(Delimiter::Brace, end) = row[brace].kind
            && end + 1 == close
            && end > brace + 1
        {
            // with the white space that stood inside of its braces
            return vec![
                Edit::remove(row[open + 1].range.start..row[brace + 1].range.start),
                Edit::remove(row[end - 1].range.end..row[end].range.end),
            ];
        }
    }
    vec![Edit::insert(row[close - 1].range.end, ".await")]
}

#[cfg(test)]
mod tests;
