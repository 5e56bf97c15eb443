//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::{Long, Short, Value};

use crate::check::FeatureSet;
use crate::error::Error;

pub(crate) const HELP: &str = "\
Puts `#[propagate]` on the async functions of a workspace, and contexts where the compiler asks for them.

Usage: cargo ctxprop migrate [OPTIONS]

What to do with it (one of these; without any, the files are edited):
      --dry-run              Print a diff, and edit nothing
      --check                Print only how much there is to do, and edit nothing

What is migrated:
      --manifest-path PATH   The Cargo.toml of the workspace or package
  -p, --package NAME         Only this package (may be given several times)

With which features the code must compile afterwards:
      --set OPTIONS          A set of cargo's own options, in quotes, such as
                             --set \"--no-default-features --features tls\"
                             (may be given several times; without any, the default features)

      --ctxprop-path PATH    Take ctxprop from this folder instead of from crates.io
      --allow-dirty          Edit files also where changes are not committed
  -h, --help                 Print this
";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    #[default]
    Edit,
    DryRun,
    Check,
}

#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) manifest: Option<PathBuf>,
    pub(crate) packages: Vec<String>,
    pub(crate) sets: Vec<FeatureSet>,
    pub(crate) ctxprop: Option<PathBuf>,
    pub(crate) allow_dirty: bool,
}

/// Reads the command line; nothing if it asks for help.
///
/// # Errors
/// It is not of the form that the help tells.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Option<Options>, Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut options = Options::default();
    let mut command = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("dry-run") => options.mode = Mode::DryRun,
            Long("check") => options.mode = Mode::Check,
            Long("allow-dirty") => options.allow_dirty = true,
            Long("manifest-path") => options.manifest = Some(parser.value()?.into()),
            Long("ctxprop-path") => options.ctxprop = Some(parser.value()?.into()),
            Short('p') | Long("package") => {
                options.packages.push(parser.value()?.string()?);
            }
            Long("set") => options.sets.push(FeatureSet::of(&parser.value()?.string()?)),
            // cargo gives the name of its subcommand as the first argument
            Value(word) if command.is_none() && word == "ctxprop" => {}
            Value(word) if command.is_none() => command = Some(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    match command.as_deref() {
        Some("migrate") => {}
        Some(other) => {
            return Err(
                lexopt::Error::from(format!("no command `{other}`: there is `migrate`")).into()
            );
        }
        None => return Ok(None),
    }
    if options.sets.is_empty() {
        options.sets.push(FeatureSet::default());
    }
    Ok(Some(options))
}

use lexopt::ValueExt;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Options>, Error> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn sets_are_cargos_own_options() {
        let options = parse(
            ["ctxprop", "migrate", "--set", "--features a,b", "--check", "-p", "x"]
                .map(OsString::from),
        );
        let options = options.expect("understood").expect("no help");
        assert_eq!(options.mode, Mode::Check);
        assert_eq!(options.sets.len(), 1);
        assert_eq!(options.sets[0].options, ["--features", "a,b"]);
        assert_eq!(options.packages, ["x"]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert!(read("ctxprop migrate --help").expect("understood").is_none());
        assert!(read("ctxprop").expect("understood").is_none());
        assert!(read("ctxprop fly").is_err_and(|error| error.to_string().contains("`fly`")));
        assert!(read("migrate --dry").is_err_and(|error| error.to_string().contains("--dry")));
    }
}
