//! The whole of it: a copy, a check of the plain code, the attributes by syntax, and then what the compiler asks for, round
//! by round, until it asks for nothing more or for something that is not understood.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Options;
use crate::check::{self, Diagnostic, FeatureSet, Said};
use crate::copy::{self, Copy};
use crate::error::Error;
use crate::metadata::{self, Metadata, Package};
use crate::project::Project;
use crate::report::Report;
use crate::{annotate, docs, layers, manifest, mend, yours};

/// So many rounds see the deepest chain of mends that was met, twice over.
const MOST_ROUNDS: usize = 40;

/// What came of it.
pub(crate) struct Migration {
    pub(crate) report: Report,
    pub(crate) project: Project,
    /// Manifests that changed, by their path below the root: before and after.
    pub(crate) manifests: BTreeMap<PathBuf, (String, String)>,
    pub(crate) metadata: Metadata,
    copy: Copy,
}

/// Migrates a copy.
///
/// # Errors
/// It cannot begin, or a file or cargo fails on the way.
pub(crate) fn run(options: &Options) -> Result<Migration, Error> {
    let metadata = metadata::read(options.manifest.as_deref())?;
    for name in &options.packages {
        if !metadata.packages.iter().any(|package| package.name == *name) {
            return Err(Error::NoPackage(name.clone()));
        }
    }
    let is_meant =
        |package: &Package| options.packages.is_empty() || options.packages.contains(&package.name);
    let copy = copy::make(&metadata)?;
    let mut report = Report::default();
    for set in &options.sets {
        let said = check::run(&copy, set, &options.packages)?;
        if !said.success {
            return Err(Error::NotPlain(first_errors(&said)));
        }
        report.warnings.0 += said.warnings.len();
        report.known_warnings.extend(said.warnings.iter().map(Diagnostic::named));
    }
    let mut project = Project::read(&metadata, &copy.root, is_meant)?;
    for (path, error) in std::mem::take(&mut project.unreadable) {
        report.left(&path, 1, format!("not read: {error}"));
    }
    let traits = annotate::traits(&project);
    annotate::all(&mut project, &traits, &mut report);
    import(&mut project, &mut report);
    let mut manifests = BTreeMap::new();
    let annotated: BTreeSet<_> = project
        .sources
        .values()
        .filter(|source| source.text != source.original)
        .map(|source| source.package)
        .collect();
    for number in annotated {
        depend(&metadata, &copy.root, number, "ctxprop", options, &mut manifests)?;
    }
    for number in report.serving.clone() {
        depend(&metadata, &copy.root, number, "ctxprop-axum", options, &mut manifests)?;
    }
    write(&project)?;
    let mut migration = Migration { report, project, manifests, metadata, copy };
    migration.rounds(options)?;
    let needing = docs::needing(&migration.project);
    docs::list(&migration.project, &needing, &mut migration.report);
    yours::list(&migration.project, &mut migration.report);
    Ok(migration)
}

impl Migration {
    fn rounds(&mut self, options: &Options) -> Result<(), Error> {
        let mut settled = vec![None; options.sets.len()];
        let mut layered = BTreeSet::new();
        while self.report.rounds < MOST_ROUNDS {
            for (number, set) in options.sets.iter().enumerate() {
                if settled[number].is_some() {
                    continue;
                }
                // what mends one set may break another
                while self.round(options, set, &mut settled[number])? {
                    settled.iter_mut().for_each(|other| *other = None);
                }
            }
            if settled.iter().any(Option::is_none) {
                continue;
            }
            let serving = self.report.serving.clone();
            let new = serving.difference(&layered).copied().collect();
            layered.extend(serving);
            if !layers::add(&mut self.project, &new, &mut self.report) {
                break;
            }
            write(&self.project)?;
            settled.iter_mut().for_each(|set| *set = None);
        }
        for said in settled.into_iter().flatten() {
            self.report.leave(&said);
        }
        Ok(())
    }

    /// One run with one set, and its mends. Whether there were any; if not, what remains is in `settled`.
    fn round(
        &mut self,
        options: &Options,
        set: &FeatureSet,
        settled: &mut Option<Said>,
    ) -> Result<bool, Error> {
        let said = check::run(&self.copy, set, &options.packages)?;
        self.report.rounds += 1;
        if self.report.rounds == 1 {
            for error in &said.errors {
                *self.report.at_once.entry(error.code().to_owned()).or_default() += 1;
            }
        }
        let changed = self.report.rounds < MOST_ROUNDS
            && mend::all(&mut self.project, &said, &mut self.report);
        // It takes a while, and whoever waits wants to see that it gets on.
        let with = set.options.join(std::ffi::OsStr::new(" "));
        eprintln!(
            "check {} [{}]: {} errors{}",
            self.report.rounds,
            with.to_string_lossy(),
            said.errors.len(),
            if changed { ", some of them mended" } else { "" },
        );
        if !changed {
            *settled = Some(said);
            return Ok(false);
        }
        import(&mut self.project, &mut self.report);
        write(&self.project)?;
        for number in self.report.serving.clone() {
            depend(
                &self.metadata,
                &self.copy.root,
                number,
                "ctxprop-axum",
                options,
                &mut self.manifests,
            )?;
        }
        Ok(true)
    }
}

/// Imports what the edits of a round use.
fn import(project: &mut Project, report: &mut Report) {
    for (path, source) in &mut project.sources {
        let edits = source.imports();
        if let Err(error) = source.apply(edits, report.marks(path)) {
            report.left(path, 1, format!("with its imports the file is no Rust: {error}"));
        }
    }
}

fn write(project: &Project) -> Result<(), Error> {
    for (path, source) in &project.sources {
        let path = project.root.join(path);
        let there = fs::read_to_string(&path).map_err(Error::file(&path))?;
        if there != source.text {
            fs::write(&path, &source.text).map_err(Error::file(&path))?;
        }
    }
    Ok(())
}

/// Puts a dependency into the manifest of a package, in the copy.
fn depend(
    metadata: &Metadata,
    copy: &Path,
    package: usize,
    name: &str,
    options: &Options,
    manifests: &mut BTreeMap<PathBuf, (String, String)>,
) -> Result<(), Error> {
    let package = &metadata.packages[package];
    let Ok(inside) = package.manifest_path.strip_prefix(&metadata.workspace_root) else {
        return Ok(());
    };
    let value = match &options.ctxprop {
        Some(folder) => {
            let folder = folder.join(name);
            let folder = fs::canonicalize(&folder).map_err(Error::file(folder))?;
            format!("{{ path = {:?} }}", folder.to_string_lossy())
        }
        None => format!("\"{}\"", env!("CARGO_PKG_VERSION")),
    };
    // That of the copy leads to what is outside of the workspace by other paths.
    let path = copy.join(inside);
    let there = fs::read_to_string(&path).map_err(Error::file(&path))?;
    if let Some(changed) = manifest::with_dependency(&there, name, &value) {
        fs::write(&path, changed).map_err(Error::file(&path))?;
    }
    let original = &package.manifest_path;
    let known = manifests.entry(inside.to_owned());
    let entry = match known {
        std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
        std::collections::btree_map::Entry::Vacant(entry) => {
            let text = fs::read_to_string(original).map_err(Error::file(original))?;
            entry.insert((text.clone(), text))
        }
    };
    if let Some(changed) = manifest::with_dependency(&entry.1, name, &value) {
        entry.1 = changed;
    }
    Ok(())
}

fn first_errors(said: &Said) -> String {
    let errors: Vec<_> = said.errors.iter().filter_map(Diagnostic::text).take(3).collect();
    if errors.is_empty() { said.stderr.clone() } else { errors.join("\n") }
}
