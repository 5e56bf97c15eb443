//! Why a migration cannot begin or go on at all. What it does not understand on its way is a [`Left`](crate::report::Left).

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Arguments(#[from] lexopt::Error),
    #[error("cargo cannot be run: {0}")]
    Cargo(#[source] io::Error),
    #[error("`cargo metadata` failed")]
    Metadata,
    #[error("what `cargo metadata` wrote is not understood: {0}")]
    NotMetadata(#[source] serde_json::Error),
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error(
        "the workspace does not compile as it is, so what the migration breaks cannot be told apart:\n\n{0}"
    )]
    NotPlain(String),
    #[error("no package is named `{0}`")]
    NoPackage(String),
    #[error(
        "{0} has changes that are not committed, and this edits many files: commit them, or say `--allow-dirty`"
    )]
    Dirty(PathBuf),
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |error| Error::File { path, error }
    }
}
