//! Crates that are written, built and weighed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Where all of them are.
#[must_use]
pub fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/crates")
}

/// A crate of our workspace, as a dependency, with what else is said of it.
#[must_use]
pub fn ours(name: &str, more: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    format!("{name} = {{ path = {path:?}{more} }}\n")
}

/// A crate with a program in it.
#[derive(Debug)]
pub struct Crate {
    /// Its folder.
    pub dir: PathBuf,
    name: String,
}

impl Crate {
    /// Writes it, with these dependencies and this program.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn write(name: &str, dependencies: &str, main: &str) -> Result<Crate, String> {
        let dir = home().join(name);
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\n{dependencies}\n[profile.release]\nstrip = true\n\n\
             [profile.small]\ninherits = \"release\"\nlto = true\ncodegen-units = 1\n"
        );
        fs::create_dir_all(dir.join("src")).map_err(|error| error.to_string())?;
        fs::write(dir.join("Cargo.toml"), manifest).map_err(|error| error.to_string())?;
        fs::write(dir.join("src/main.rs"), main).map_err(|error| error.to_string())?;
        Ok(Crate { dir, name: name.to_owned() })
    }

    /// Builds it with this profile into `target`, and gives the program.
    ///
    /// # Errors
    ///
    /// It does not compile.
    pub fn build(&self, profile: &str, target: &Path) -> Result<PathBuf, String> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--profile", profile]).current_dir(&self.dir);
        cargo.env("CARGO_TARGET_DIR", target).env("CARGO_INCREMENTAL", "0");
        // That of this cargo, whatever toolchain a dependency was written with.
        cargo.env("RUSTC", Path::new(env!("CARGO")).with_file_name("rustc"));
        let status = cargo.status().map_err(|error| error.to_string())?;
        let folder = if profile == "dev" { "debug" } else { profile };
        let program = target.join(folder).join(&self.name);
        status.success().then_some(program).ok_or_else(|| format!("{}: no build", self.name))
    }
}

/// The processor time of all children that have ended, in seconds.
///
/// # Errors
///
/// The system does not tell.
pub fn children_seconds() -> Result<f64, String> {
    let stat = fs::read_to_string("/proc/self/stat").map_err(|error| error.to_string())?;
    // After the name, which may have anything in it: the 16th and 17th of all are those of children.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).ok_or("no name")?;
    let ticks: u64 = fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / 100.0)
}
