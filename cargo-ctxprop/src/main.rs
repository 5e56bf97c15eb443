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
mod dirty;
mod docs;
mod edit;
mod error;
mod imports;
mod index;
mod layers;
mod manifest;
mod mend;
mod metadata;
mod migrate;
mod output;
mod project;
mod report;
mod routers;
mod tokens;
mod visit;
mod yours;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::args::{Mode, Options};
use crate::error::Error;

/// 0 where nothing is left to do by hand, 1 where something is, 2 where it could not begin or go on.
fn main() -> ExitCode {
    let outcome = args::parse(std::env::args_os().skip(1)).and_then(|options| match options {
        Some(options) => run(&options),
        None => print(args::HELP).map(|()| true),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing is left.
fn run(options: &Options) -> Result<bool, Error> {
    if options.mode == Mode::Edit && !options.allow_dirty {
        dirty::refuse(options)?;
    }
    let migration = migrate::run(options)?;
    let report = output::report(&migration);
    match options.mode {
        Mode::Edit => {
            output::write(&migration)?;
            print(&report)?;
        }
        Mode::Check => print(&report)?,
        // The diff alone goes to where it may be piped from.
        Mode::DryRun => {
            print(&output::diff(&migration))?;
            eprint!("{report}");
        }
    }
    Ok(migration.report.left.is_empty())
}

fn print(text: &str) -> Result<(), Error> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // `| head` has seen enough
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(Error::file("stdout")),
    }
}
