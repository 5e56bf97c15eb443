//! What a migration does not do because it changes what a program means, and what nothing is stopped or told without: error
//! types, clients and the server. Where they are is listed, by syntax alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{GenericArgument, PathArguments, Type};

use crate::project::{Project, Source};
use crate::report::{Mark, MendKind, Report};

/// Lists it.
pub(crate) fn list(project: &Project, report: &mut Report) {
    let sources = project.sources.iter().filter(|(_, source)| !source.test);
    let seen: Vec<_> = sources.map(|(path, source)| (path, Seen::of(&source.text))).collect();
    let failing = failing(project);
    let able: BTreeSet<_> = seen.iter().flat_map(|(_, seen)| &seen.able).collect();
    let mut mark = |path: &PathBuf, at, text| {
        report.marks.push(Mark { path: path.clone(), at, kind: MendKind::Yours, text });
    };
    for (path, seen) in &seen {
        for (name, at) in &seen.types {
            let count = failing.get(name).copied().unwrap_or_default();
            if count > 0 && !able.contains(name) {
                let text = format!(
                    "`{name}` cannot say `Cancelled`, so what fails with it ({count} functions) is not stopped at its own \
                     awaits: give it `From<ctxprop::Cancelled>`"
                );
                mark(path, *at, text);
            }
        }
        if let Some(at) = seen.client {
            let text = "`reqwest` tells the next service nothing of the request: `ctxprop_reqwest` has the same names";
            mark(path, at, text.to_owned());
        }
        if let Some(at) = seen.server {
            let text = "`ctxprop_axum::serve` in its place ends requests in an orderly way, and says what was left behind";
            mark(path, at, text.to_owned());
        }
        if let Some(at) = seen.grpc {
            let text = "`.layer(ctxprop_tonic::CtxLayer::edge())` behind it gives each call its context, which is asked for in \
                        its methods: where peers call, it is `CtxLayer::mesh()`";
            mark(path, at, text.to_owned());
        }
    }
}

/// The error types of annotated functions, and of how many each.
fn failing(project: &Project) -> BTreeMap<String, usize> {
    let mut failing = BTreeMap::new();
    let errors = |source: &Source| -> Vec<String> {
        let annotated = source.index.functions.iter().filter(|function| {
            function.is_async && !function.place.test && source.index.ours(function).is_some()
        });
        annotated.filter_map(|function| error(source.text.get(function.output.clone()?)?)).collect()
    };
    for name in project.sources.values().filter(|source| !source.test).flat_map(errors) {
        *failing.entry(name).or_default() += 1;
    }
    failing
}

/// The last name of `E` in `Result<_, E>`.
fn error(output: &str) -> Option<String> {
    let output = output.trim_start().trim_start_matches("->");
    let Type::Path(path) = syn::parse_str::<Type>(output).ok()? else { return None };
    let result = path.path.segments.last().filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(arguments) = &result.arguments else { return None };
    let GenericArgument::Type(Type::Path(error)) = arguments.args.iter().nth(1)? else {
        return None;
    };
    Some(error.path.segments.last()?.ident.to_string())
}

/// What one file has, and where.
#[derive(Default)]
struct Seen {
    types: Vec<(String, usize)>,
    /// Types that can say `Cancelled`.
    able: BTreeSet<String>,
    client: Option<usize>,
    server: Option<usize>,
    /// Where a server of tonic is made.
    grpc: Option<usize>,
    imports_tonic: bool,
}

impl Seen {
    fn of(text: &str) -> Seen {
        let mut seen = Seen::default();
        // What is no Rust was reported when the file was read.
        if let Ok(file) = syn::parse_file(text) {
            seen.visit_file(&file);
        }
        seen
    }

    fn define(&mut self, name: &syn::Ident, fields: Vec<&syn::Field>) {
        self.types.push((name.to_string(), name.span().byte_range().start));
        let is_from = |field: &&syn::Field| field.attrs.iter().any(|it| it.path().is_ident("from"));
        if fields.into_iter().filter(is_from).any(|field| is_cancelled(&field.ty)) {
            self.able.insert(name.to_string());
        }
    }
}

impl<'a> Visit<'a> for Seen {
    fn visit_item_enum(&mut self, item: &'a syn::ItemEnum) {
        self.define(&item.ident, item.variants.iter().flat_map(|it| &it.fields).collect());
        visit::visit_item_enum(self, item);
    }

    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        self.define(&item.ident, item.fields.iter().collect());
        visit::visit_item_struct(self, item);
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        let from = item.trait_.as_ref().and_then(|it| it.0.segments.last());
        if let Some(from) = from.filter(|from| from.ident == "From")
            && let PathArguments::AngleBracketed(arguments) = &from.arguments
            && let Some(GenericArgument::Type(ty)) = arguments.args.first()
            && is_cancelled(ty)
            && let Some(name) = last(&item.self_ty)
        {
            self.able.insert(name);
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let at = path.span().byte_range().start;
        if names.len() > 1 && names[0] == "reqwest" {
            self.client.get_or_insert(at);
        }
        if names == ["axum", "serve"] {
            self.server.get_or_insert(at);
        }
        if names.ends_with(&["Server".to_owned(), "builder".to_owned()])
            && (names.len() > 2 || self.imports_tonic)
        {
            self.grpc.get_or_insert(at);
        }
        visit::visit_path(self, path);
    }

    fn visit_use_path(&mut self, path: &'a syn::UsePath) {
        if path.ident == "reqwest" {
            self.client.get_or_insert(path.ident.span().byte_range().start);
        }
        self.imports_tonic |= path.ident == "tonic";
        visit::visit_use_path(self, path);
    }
}

fn is_cancelled(ty: &Type) -> bool {
    last(ty).is_some_and(|name| name == "Cancelled")
}

fn last(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_type_is_read_from_what_a_function_returns() {
        assert_eq!(error("-> Result<Json<u8>, crate::ApiError>").as_deref(), Some("ApiError"));
        assert_eq!(error("-> Result<(), E>").as_deref(), Some("E"));
        assert_eq!(error("-> io::Result<()>"), None);
        assert_eq!(error("-> u8"), None);
    }

    #[test]
    fn types_that_can_say_it_clients_and_servers_are_seen() {
        let text = "use reqwest::Client;\nenum A { Gone(#[from] ctxprop::Cancelled) }\nstruct B;\n\
                    impl From<Cancelled> for B { fn from(_: Cancelled) -> B { B } }\nenum C { Cancelled(u8) }\n\
                    fn f() { axum::serve(1, 2); tonic::transport::Server::builder(); }";
        let seen = Seen::of(text);
        assert_eq!(seen.able, BTreeSet::from(["A".to_owned(), "B".to_owned()]));
        assert_eq!(seen.types.len(), 3);
        assert!(text[seen.client.unwrap_or_default()..].starts_with("reqwest::Client"));
        assert!(text[seen.server.unwrap_or_default()..].starts_with("axum::serve"));
        assert!(text[seen.grpc.unwrap_or_default()..].starts_with("tonic::transport::Server"));
        let imported = "use tonic::transport::Server;\nfn f() { Server::builder(); }";
        assert_eq!(Seen::of(imported).grpc, Some(imported.find("Server::").unwrap_or_default()));
        assert_eq!(Seen::of("use hyper::Server;\nfn f() { Server::builder(); }").grpc, None);
    }
}
