//! A function that a framework calls: a handler, a middleware. It is an entry point, so it names its context, which the
//! framework hands over; the parameter goes to where the function is defined, not to where it is passed on.

use std::path::Path;

use super::{Case, Mend};
use crate::annotate;
use crate::index::Function;
use crate::project::{Project, Source};
use crate::report::MendKind;
use crate::tokens;

/// What takes functions whose parameters are extractors.
const FRAMEWORK: &[&str] =
    &["Handler<", "FromFn<", "MapRequest<", "FromExtractor<", "HandleError<"];

/// Functions that make a middleware of one.
const MIDDLEWARE: &[&str] = &[
    "from_fn",
    "from_fn_with_state",
    "map_request",
    "map_request_with_state",
    "map_response",
    "map_response_with_state",
];

/// Methods that a function has by being a handler.
const METHODS: &[&str] = &["layer", "with_state", "into_service", "into_make_service"];

pub(crate) fn mend(case: &Case<'_>, project: &Project) -> Option<Mend> {
    let (path, source, function) =
        passed_on(case).into_iter().find_map(|name| definition(case, project, &name))?;
    Some(Mend {
        path: path.to_owned(),
        kind: MendKind::Handler,
        edits: vec![annotate::parameter(source, function)],
        names: vec!["Ctx"],
        note: None,
    })
}

/// The one definition that is meant.
fn definition<'a>(
    case: &Case<'_>,
    project: &'a Project,
    name: &str,
) -> Option<(&'a Path, &'a Source, &'a Function)> {
    let module = before_it(case, name);
    let mut found: Vec<_> = definitions(project, name)
        // with a path before it, such as `handlers::show`, the one in that module
        .filter(|(path, source, function)| {
            module.as_ref().is_none_or(|module| is_of(path, source, function, module))
        })
        .collect();
    if found.len() > 1 {
        found.retain(|(_, source, _)| source.package == case.source.package);
    }
    if found.len() > 1 {
        found.retain(|(path, ..)| *path == case.path);
    }
    if found.len() > 1 {
        // of several in this file, the one in the function that passes it on
        let around = case.index().function_around(case.span.byte_start)?;
        let whole = &case.index().functions[around].place.whole;
        found.retain(|(_, _, function)| whole.contains(&function.place.start));
    }
    found.pop().filter(|_| found.is_empty())
}

/// Whether the error is about what a framework takes.
pub(super) fn is_asked_for(case: &Case<'_>) -> bool {
    let wanted = |text: &str| FRAMEWORK.iter().any(|name| text.contains(name));
    let asked = |name: &&str| case.error.message.contains(&format!("`{name}`"));
    case.error.texts().any(wanted) || case.error.code() == "E0599" && METHODS.iter().any(asked)
}

/// The names of functions that are passed to the framework and lack their context, the likeliest first.
fn passed_on(case: &Case<'_>) -> Vec<String> {
    if !is_asked_for(case) {
        return Vec::new();
    }
    let texts = || case.error.texts();
    // as rustc shows it: `fn(..) -> NeedsCtx<..> {name}`. Where the type is long, rustc leaves `NeedsCtx` out, and where it
    // is longer also the name
    let shown = texts().find_map(|text| {
        let (_, behind) = text.split_once("fn(")?;
        let (_, behind) = behind.split_once(" {")?;
        let (path, _) = behind.split_once('}')?;
        let name = path.split("::<").next()?.rsplit("::").next()?;
        case.known.needing.contains(name).then(|| name.to_owned())
    });
    let row = &case.index().tokens;
    let from = tokens::first_from(row, case.span.byte_start);
    let to = tokens::first_from(row, case.span.byte_end);
    let mut values: Vec<_> =
        (from..to).filter(|at| super::value::is_value(case, row, *at)).collect();
    // of a stack of layers rustc shows the outermost alone, whichever lacks its context
    if values.len() > 1 {
        values
            .retain(|at| tokens::argument_of(row, *at).is_some_and(|of| MIDDLEWARE.contains(&of)));
    }
    let values = values.into_iter().filter_map(|at| row[at].ident().map(str::to_owned));
    shown.into_iter().chain(values).collect()
}

/// The part of the path before the function's name, where it was passed on.
fn before_it(case: &Case<'_>, name: &str) -> Option<String> {
    let row = &case.index().tokens;
    let from = tokens::first_from(row, case.span.byte_start);
    let to = tokens::first_from(row, case.span.byte_end);
    let at = (from..to).find(|at| row[*at].ident() == Some(name))?;
    let part = row.get(at.checked_sub(3)?)?.ident()?;
    (row[at - 1].is_punct(':')
        && row[at - 2].is_punct(':')
        && !["self", "crate", "super", "Self"].contains(&part))
    .then(|| part.to_owned())
}

pub(crate) fn definitions<'a>(
    project: &'a Project,
    name: &str,
) -> impl Iterator<Item = (&'a Path, &'a Source, &'a Function)> {
    let name = name.to_owned();
    project.sources.iter().flat_map(move |(path, source)| {
        let name = name.clone();
        source.index.functions.iter().filter_map(move |function| {
            let meant = function.name == name
                && function.context.is_none()
                && source.index.ours(function).is_some();
            meant.then_some((path.as_path(), source, function))
        })
    })
}

/// Whether a function is in the module `module`, or a method of the type of that name.
fn is_of(path: &Path, source: &Source, function: &Function, module: &str) -> bool {
    let inline = &source.index.modules[function.place.module].path;
    let stem = path.file_stem().is_some_and(|stem| stem == module);
    let folder = path.file_name().is_some_and(|name| name == "mod.rs")
        && path.parent().and_then(Path::file_name).is_some_and(|name| name == module);
    match function.block {
        Some(block) => source.index.blocks[block].name == module,
        None => stem || folder || inline.split("::").last() == Some(module),
    }
}
