//! Whether edits could be told from what the user has changed and not committed.

use std::process::Command;

use crate::args::Options;
use crate::error::Error;
use crate::metadata;

/// Refuses to edit where git says that something is not committed. Where there is no git, nothing is known and nothing refused.
///
/// # Errors
/// Something is not committed.
pub(crate) fn refuse(options: &Options) -> Result<(), Error> {
    let root = metadata::read(options.manifest.as_deref())?.workspace_root;
    let output = Command::new("git")
        .args(["status", "--porcelain", "--untracked-files=no", "--", "."])
        .current_dir(&root)
        .output();
    match output {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            Err(Error::Dirty(root))
        }
        _ => Ok(()),
    }
}
