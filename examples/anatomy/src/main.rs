//! `cargo run -p anatomy`: the main job of ctxprop, played on loopback.
//!
//! A client, three real services (an edge gateway, auth, orders) and a third party outside of the mesh, in one
//! process, with real sockets between them. It plays four scenes, prints what each hop saw, draws a waterfall, and
//! fails if anything did not hold. With `--json` it prints the same as JSON lines, with `--trace FILE` it writes it for
//! Perfetto, and with `--serve` it keeps the services running and shows the story as a page.
//!
//! Read `services/` to see how such services are written, `scenes/` for what is shown.

use std::path::Path;
use std::process::ExitCode;

use crate::args::Options;
use crate::recording::Recording;
use crate::scenes::Error;
use crate::story::{Story, Voice};
use crate::trace::Trace;

mod args;
mod house;
mod recording;
mod scenes;
mod serve;
mod services;
mod spans;
mod stage;
mod story;
mod trace;
mod visit;
mod waterfall;

fn main() -> ExitCode {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = match options.serve {
        Some(port) => runtime.block_on(serve::serve(port)).map(|()| true),
        None => runtime.block_on(play(&options)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the house does not stand: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Plays all scenes. Whether everything held.
async fn play(options: &Options) -> Result<bool, Error> {
    let recording = options.trace.is_some().then(Recording::new);
    let voice = if options.json { Voice::Json } else { Voice::Lines };
    let story = Story::new(voice, recording.clone());
    let spans = spans::Spans::install(recording.clone());
    scenes::play(&story, &spans).await?;
    if let (Some(file), Some(recording)) = (&options.trace, &recording) {
        write(file, recording)?;
    }
    Ok(story.held())
}

fn write(file: &Path, recording: &Recording) -> Result<(), Error> {
    let trace = serde_json::to_vec(&Trace::of(&recording.since(0).1))?;
    std::fs::write(file, trace).map_err(|error| format!("{}: {error}", file.display()))?;
    eprintln!("the trace is in {}: open it in https://ui.perfetto.dev", file.display());
    Ok(())
}
