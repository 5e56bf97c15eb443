//! What the process has in memory, and which sockets it has open.

use std::fs;

/// The resident set, in KiB.
///
/// # Errors
///
/// The system does not tell.
pub fn resident() -> Result<u64, String> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| "no VmRSS in /proc/self/status".to_owned())
}

/// How many sockets are open.
///
/// # Errors
///
/// The system does not tell.
pub fn sockets() -> Result<usize, String> {
    let open = fs::read_dir("/proc/self/fd").map_err(|error| error.to_string())?;
    let names = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    Ok(names.filter(|name| name.to_string_lossy().starts_with("socket:")).count())
}
