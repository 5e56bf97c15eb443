//! The copy of a workspace that a migration works in: nothing of the user's changes before all is done, and nothing at all
//! with `--check` and `--dry-run`.
//!
//! It lies in the target directory, so that `.cargo` folders and toolchain files above the workspace count as they do for
//! it. It is built into a folder of its own: cargo tells packages of a workspace apart by their place below its root, so in
//! the user's own folder it would take what was built of the copy for what is built of the original.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Component, Path, PathBuf};

use crate::error::Error;
use crate::metadata::Metadata;

/// Folders that no build needs and that may be large.
const NOT_COPIED: &[&str] = &[".git", ".hg", ".jj", ".svn", "node_modules"];

/// Where the copy is, and where it is built.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

/// Makes the copy anew.
///
/// # Errors
/// A file cannot be read or written.
pub(crate) fn make(metadata: &Metadata) -> Result<Copy, Error> {
    // workspaces may share a target directory
    let mut hasher = DefaultHasher::new();
    metadata.workspace_root.hash(&mut hasher);
    let copies = metadata.target_directory.join("ctxprop-migrate");
    let own = copies.join(format!("{:016x}", hasher.finish()));
    let (copy, target) = (own.join("workspace"), own.join("target"));
    if copy.exists() {
        fs::remove_dir_all(&copy).map_err(Error::file(&copy))?;
    }
    folder(&metadata.workspace_root, &copy, metadata)?;
    for package in &metadata.packages {
        outside_paths(&package.manifest_path, &copy, metadata)?;
    }
    let root = metadata.workspace_root.join("Cargo.toml");
    if metadata.packages.iter().all(|package| package.manifest_path != root) {
        outside_paths(&root, &copy, metadata)?;
    }
    Ok(Copy { root: copy, target })
}

fn folder(from: &Path, to: &Path, metadata: &Metadata) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(Error::file(to))?;
    for entry in fs::read_dir(from).map_err(Error::file(from))? {
        let entry = entry.map_err(Error::file(from))?;
        let (path, name) = (entry.path(), entry.file_name());
        let kind = entry.file_type().map_err(Error::file(&path))?;
        let target = to.join(&name);
        if kind.is_dir() {
            let left_out = NOT_COPIED.iter().any(|left_out| name == *left_out)
                || path == metadata.target_directory
                || path.join("CACHEDIR.TAG").exists();
            if !left_out {
                folder(&path, &target, metadata)?;
            }
        } else if kind.is_symlink() {
            // What a link within the workspace leads to is a copy of its own; one to the outside is followed.
            match fs::metadata(&path) {
                Ok(behind) if behind.is_dir() => folder(&path, &target, metadata)?,
                Ok(_) => drop(fs::copy(&path, &target).map_err(Error::file(&path))?),
                // A link that leads nowhere is no file that a build reads.
                Err(_) => {}
            }
        } else if kind.is_file() {
            fs::copy(&path, &target).map_err(Error::file(&path))?;
        }
    }
    Ok(())
}

/// `path = "../other"` of a manifest leads out of the workspace: from the copy it would lead elsewhere.
fn outside_paths(manifest: &Path, copy: &Path, metadata: &Metadata) -> Result<(), Error> {
    let root = &metadata.workspace_root;
    let Ok(inside) = manifest.strip_prefix(root) else { return Ok(()) };
    let Some(folder) = manifest.parent() else { return Ok(()) };
    let text = fs::read_to_string(manifest).map_err(Error::file(manifest))?;
    let mut changed = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("\"../") {
        let (before, quoted) = rest.split_at(at + 1);
        changed.push_str(before);
        let Some(end) = quoted.find('"') else {
            rest = quoted;
            break;
        };
        let (path, behind) = quoted.split_at(end);
        let whole = normal(&folder.join(path));
        if whole.starts_with(root) {
            changed.push_str(path);
        } else {
            changed.push_str(&whole.to_string_lossy());
        }
        rest = behind;
    }
    changed.push_str(rest);
    if changed != text {
        let target = copy.join(inside);
        fs::write(&target, changed).map_err(Error::file(&target))?;
    }
    Ok(())
}

/// Without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}
