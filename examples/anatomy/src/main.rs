//! `cargo run -p anatomy`: the main job of ctxprop, played on loopback.
//!
//! A client, three real services (an edge gateway, auth, orders) and a third party outside of the mesh, in one
//! process, with real sockets between them. It plays four scenes, prints what each hop saw, draws a waterfall, and
//! fails if anything did not hold. With `--json` it prints the same as JSON lines.
//!
//! Read `services/` to see how such services are written, `scenes/` for what is shown.

use std::process::ExitCode;

mod house;
mod scenes;
mod services;
mod spans;
mod story;
mod waterfall;

fn main() -> ExitCode {
    let json = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--json") => true,
        Some(other) => {
            eprintln!("unknown argument `{other}`: the only one is `--json`");
            return ExitCode::from(2);
        }
    };
    let story = story::Story::new(json);
    let spans = spans::Spans::install();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(scenes::play(&story, &spans)) {
        Ok(()) if story.held() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the house does not stand: {error}");
            ExitCode::FAILURE
        }
    }
}
