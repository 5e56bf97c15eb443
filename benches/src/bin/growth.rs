//! What one more costs as there are more, as a plot: contexts in depth and in breadth, waits, tasks, requests, entries.
//! A line that is level grows no worse than linear. `report --only growth` holds to it.
//!
//! ```console
//! $ cargo run --release --manifest-path benches/Cargo.toml --bin growth
//! ```
//!
//! It writes `docs/growth.svg`, and needs valgrind.

use std::path::PathBuf;
use std::{env, fs};

use ctxprop_benches::growth::{PART, panels};
use ctxprop_benches::instructions::ran_as_child;
use ctxprop_benches::plot::svg;

fn main() -> Result<(), String> {
    if ran_as_child(PART.cases) {
        return Ok(());
    }
    let source = "cargo run --release --manifest-path benches/Cargo.toml --bin growth: counted by callgrind; \
                  a level line grows no worse than linear";
    let drawn = svg(&panels()?, 2, source).map_err(|error| error.to_string())?;
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/growth.svg");
    fs::write(file, drawn).map_err(|error| error.to_string())?;
    println!("written: docs/growth.svg");
    Ok(())
}
