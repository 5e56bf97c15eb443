//! `cargo ctxprop migrate`: puts `#[propagate]` on the async functions of a workspace, and contexts where the compiler asks
//! for them.
//!
//! It edits by the byte offsets of tokens, so what it does not touch keeps its format, and it knows nothing of types: it
//! annotates by syntax, and from there on does what the errors of `cargo check` say. What it does not understand it leaves
//! and lists.

mod annotate;
mod args;
mod check;
mod copy;
mod edit;
mod error;
mod imports;
mod index;
mod manifest;
mod mend;
mod metadata;
mod migrate;
mod project;
mod report;
mod tokens;
mod visit;

use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => { println!("{}", args::HELP); return ExitCode::SUCCESS }
        Err(error) => { eprintln!("error: {error}"); return ExitCode::FAILURE }
    };
    match migrate::run(&options) {
        Ok(m) => { println!("{:?} {:?}", m.report, m.metadata.target_directory); ExitCode::SUCCESS }
        Err(error) => { eprintln!("error: {error}"); ExitCode::FAILURE }
    }
}
