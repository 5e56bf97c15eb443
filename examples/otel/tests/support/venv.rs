//! Virtual environments with packages of `PyPI`: the peers of the tests that nobody here wrote.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The collector.
pub(crate) static SINK: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| python("sink"));

/// The service in the middle.
pub(crate) static MIDDLE: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| python("middle"));

/// The interpreter of an environment, or `None`, and it is told why: the test that needs it is skipped.
///
/// # Panics
///
/// Where `CTXPROP_PYTHON=required` is set and there is none, so that a gate notices.
pub(crate) fn of(python: &LazyLock<Result<PathBuf, String>>) -> Option<&Path> {
    match LazyLock::force(python) {
        Ok(python) => Some(python),
        Err(reason) => {
            let required = std::env::var_os("CTXPROP_PYTHON").is_some_and(|it| it == "required");
            assert!(!required, "{reason}");
            eprintln!("skipped: {reason}");
            None
        }
    }
}

/// Makes the environment of `python/<name>.txt`, unless it is there already.
fn python(name: &str) -> Result<PathBuf, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    let wanted = std::fs::read_to_string(directory.join(format!("{name}.txt")))
        .map_err(|error| format!("no list of packages: {error}"))?;
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("venv-{name}"));
    let (python, made) = (home.join("bin/python"), home.join("made-of.txt"));
    if std::fs::read_to_string(&made).is_ok_and(|of| of == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))
        .map_err(|error| format!("no virtual environment (Debian: python3-venv): {error}"))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    run(pip.arg(directory.join(format!("{name}.txt"))))
        .map_err(|error| format!("the packages of {name}.txt cannot be had: {error}"))?;
    std::fs::write(&made, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
