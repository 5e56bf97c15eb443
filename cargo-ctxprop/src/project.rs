//! The files of a workspace that are its Rust code: what is reached by `mod name;` from where a target starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::edit::{Edit, Edits};
use crate::error::Error;
use crate::index::{Index, ModFile};
use crate::metadata::{Metadata, Package};

#[derive(Debug)]
pub(crate) struct Project {
    /// The copy.
    pub(crate) root: PathBuf,
    /// By their path below the root.
    pub(crate) sources: BTreeMap<PathBuf, Source>,
    pub(crate) unreadable: Vec<(PathBuf, String)>,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) original: String,
    pub(crate) text: String,
    pub(crate) index: Index,
    /// The package it belongs to, as its place in the metadata.
    pub(crate) package: usize,
    /// It is compiled for tests only.
    pub(crate) test: bool,
    /// What each module of it, by path, needs of ctxprop.
    pub(crate) wanted: BTreeMap<String, BTreeSet<&'static str>>,
    /// Modules in which names of ctxprop are written with their path, since an import would be unused with some features.
    pub(crate) by_path: BTreeSet<String>,
}

impl Project {
    /// Reads what belongs to the packages that are meant.
    ///
    /// # Errors
    /// A file that a target starts with cannot be read.
    pub(crate) fn read(
        metadata: &Metadata,
        copy: &Path,
        is_meant: impl Fn(&Package) -> bool,
    ) -> Result<Project, Error> {
        let mut project =
            Project { root: copy.to_owned(), sources: BTreeMap::new(), unreadable: Vec::new() };
        for (number, package) in metadata.packages.iter().enumerate() {
            if !is_meant(package) {
                continue;
            }
            // those of tests last: what a target that is no test has too is no test's alone
            let mut targets: Vec<_> = package
                .targets
                .iter()
                .filter(|target| !target.is_build_script() && !target.is_proc_macro())
                .collect();
            targets.sort_by_key(|target| target.is_for_tests());
            for target in targets {
                let Ok(path) = target.src_path.strip_prefix(&metadata.workspace_root) else {
                    continue;
                };
                project.file(path.to_owned(), number, target.is_for_tests(), true)?;
            }
        }
        Ok(project)
    }

    fn file(
        &mut self,
        path: PathBuf,
        package: usize,
        test: bool,
        is_root: bool,
    ) -> Result<(), Error> {
        if self.sources.get(&path).is_some_and(|known| test || !known.test) {
            return Ok(());
        }
        let whole = self.root.join(&path);
        let text = fs::read_to_string(&whole).map_err(Error::file(&whole))?;
        let index = match Index::of(&text) {
            Ok(index) => index,
            Err(error) => {
                self.unreadable.push((path, error.to_string()));
                return Ok(());
            }
        };
        let owns_its_folder = is_root || path.file_name().is_some_and(|name| name == "mod.rs");
        let children: Vec<_> = index
            .files
            .iter()
            .filter_map(|file| {
                let found = candidates(&path, owns_its_folder, file)
                    .into_iter()
                    .find(|candidate| self.root.join(candidate).is_file())?;
                Some((found, test || file.test))
            })
            .collect();
        let original = text.clone();
        let (wanted, by_path) = Default::default();
        self.sources.insert(path, Source { original, text, index, package, test, wanted, by_path });
        for (child, test) in children {
            self.file(child, package, test, false)?;
        }
        Ok(())
    }
}

/// Where `mod name;` may be found.
fn candidates(parent: &Path, owns_its_folder: bool, file: &ModFile) -> Vec<PathBuf> {
    let beside = parent.parent().unwrap_or(Path::new(""));
    let mut folder = match (owns_its_folder, parent.file_stem()) {
        (false, Some(stem)) => beside.join(stem),
        _ => beside.to_owned(),
    };
    folder.extend(&file.inside);
    match &file.path {
        Some(path) if file.inside.is_empty() => vec![beside.join(path)],
        Some(path) => vec![folder.join(path)],
        None => {
            let name = file.name.strip_prefix("r#").unwrap_or(&file.name);
            vec![folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")]
        }
    }
}

impl Source {
    /// Whether what stands at a place in module `module` is for tests only.
    pub(crate) fn is_test(&self, module: usize) -> bool {
        self.test || self.index.modules.get(module).is_some_and(|module| module.test)
    }

    /// Applies edits and reads the result.
    ///
    /// # Errors
    /// The result is no Rust file; then all is as it was.
    pub(crate) fn apply<'a>(
        &mut self,
        edits: Edits,
        marks: impl Iterator<Item = &'a mut usize>,
    ) -> Result<(), syn::Error> {
        if edits.is_empty() {
            return Ok(());
        }
        let marks: Vec<_> = marks.collect();
        let mut moved: Vec<usize> = marks.iter().map(|mark| **mark).collect();
        let text = edits.apply(&self.text, moved.iter_mut());
        self.index = Index::of(&text)?;
        self.text = text;
        for (mark, moved) in marks.into_iter().zip(moved) {
            *mark = moved;
        }
        Ok(())
    }

    /// How `name` of ctxprop is written at `at`.
    pub(crate) fn written(&self, at: usize, name: &str) -> String {
        let module = &self.index.modules[self.index.module_at(at)];
        let imported = module.imports(name);
        let other = module.names.contains(name) && !imported;
        if other || self.by_path.contains(&module.path) && !imported {
            format!("ctxprop::{name}")
        } else {
            name.to_owned()
        }
    }

    /// Notes that the module around `at` uses `name` of ctxprop as [`written`](Source::written) has it.
    pub(crate) fn want(&mut self, at: usize, name: &'static str) {
        if !self.written(at, name).starts_with("ctxprop::") {
            let path = self.index.modules[self.index.module_at(at)].path.clone();
            self.wanted.entry(path).or_default().insert(name);
        }
    }

    /// From now on names of ctxprop are written with their path in the module around `at`.
    pub(crate) fn unwant(&mut self, at: usize) {
        let path = self.index.modules[self.index.module_at(at)].path.clone();
        self.wanted.remove(&path);
        self.by_path.insert(path);
    }

    /// The edits that import what is wanted and not there yet.
    pub(crate) fn imports(&self) -> Edits {
        let mut edits = Edits::default();
        for module in &self.index.modules {
            let Some(wanted) = self.wanted.get(&module.path) else { continue };
            let there =
                module.imports.iter().find_map(|import| Some((import, import.ours.as_ref()?)));
            let mut names: BTreeSet<&str> = wanted.iter().copied().collect();
            if let Some((import, ours)) = there {
                if names.iter().all(|name| ours.iter().any(|ours| ours == name)) {
                    continue;
                }
                names.extend(ours.iter().map(String::as_str));
                edits.add(vec![Edit::replace(import.range.clone(), line(names.iter().copied()))]);
            } else {
                edits.add(vec![crate::imports::new(
                    &self.text,
                    module,
                    &line(names.iter().copied()),
                )]);
            }
        }
        edits
    }
}

/// `use ctxprop::{..};`
pub(crate) fn line<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    match names.into_iter().collect::<Vec<_>>().as_slice() {
        [one] => format!("use ctxprop::{one};"),
        // as rustfmt sorts: types first, which begin with a capital letter
        all => format!("use ctxprop::{{{}}};", all.join(", ")),
    }
}
