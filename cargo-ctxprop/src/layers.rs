//! Routers whose handlers name their context get the layer that makes it: one at the end of each chain
//! `Router::new().route(..)` that is not nested into another one.
//!
//! Whether strangers or peers call is nothing that syntax tells, so it is the layer for strangers, and listed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::edit::{Edit, Edits, indent};
use crate::project::Project;
use crate::report::{Mark, MendKind, Report};

const NOTE: &str = "strangers call, this says: where peers do, it is `CtxLayer::mesh()`";

/// Adds them in the files of `packages`. Whether there was one.
pub(crate) fn add(project: &mut Project, packages: &BTreeSet<usize>, report: &mut Report) -> bool {
    let nested: BTreeSet<_> =
        project.sources.values().flat_map(|source| source.index.nested.iter().cloned()).collect();
    let mut changed = false;
    let paths: Vec<PathBuf> = project.sources.keys().cloned().collect();
    for path in paths {
        let Some(source) = project.sources.get_mut(&path) else { continue };
        if !packages.contains(&source.package) {
            continue;
        }
        let mut edits = Edits::default();
        let before = report.marks.len();
        for chain in &source.index.routers {
            let function = source.index.function_around(chain.start);
            let within = function.map(|found| source.index.functions[found].name.clone());
            let is_nested = chain.nested
                || within.is_some_and(|name| nested.contains(&name))
                || chain.name.as_ref().is_some_and(|name| nested.contains(name));
            if is_nested || !chain.routes {
                continue;
            }
            let layer = ".layer(ctxprop_axum::CtxLayer::edge())";
            let text = match indent(&source.text, chain.last_dot) {
                Some(indent) => format!("\n{indent}{layer}"),
                None => layer.to_owned(),
            };
            if edits.add(vec![Edit::insert(chain.end, text)]) {
                report.count(MendKind::Layer);
                let text = NOTE.to_owned();
                report.marks.push(Mark {
                    path: path.clone(),
                    at: chain.end,
                    kind: MendKind::Layer,
                    text,
                });
            }
        }
        if edits.is_empty() {
            continue;
        }
        match source.apply(edits, report.marks(&path)) {
            Ok(()) => changed = true,
            Err(error) => {
                report.marks.truncate(before);
                report.left(&path, 1, format!("with the layer the file is no Rust: {error}"));
            }
        }
    }
    changed
}
