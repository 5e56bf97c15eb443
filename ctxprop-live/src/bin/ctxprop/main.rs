//! `ctxprop ps PID-or-URL`: what each live request of a running process waits for, in a terminal.
//!
//! `args.rs` reads the command line, `find.rs` finds the listener of a process, `fetch.rs` asks it, `tree.rs` and `words.rs`
//! write it down, `paint.rs` knows the terminal.

mod args;
mod fetch;
mod find;
mod paint;
mod tree;
mod words;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use ctxprop_live::model::Snapshot;

use crate::args::{Command, Ps, Target};
use crate::fetch::{Page, Problem};
use crate::paint::Terminal;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let command = match args::read(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => return fails(&error, 2),
    };
    let done = match command {
        Command::Help => say(args::HELP),
        Command::Version => say(&format!("ctxprop {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Ps(ps) => run(&ps).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read this has had enough: `ctxprop ps .. | head`.
        Err(Problem::Written(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => fails(&error, 1),
    }
}

fn fails(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    // Where even this cannot be told, the code is what is left.
    let _ = writeln!(io::stderr(), "ctxprop: {error}");
    ExitCode::from(code)
}

fn say(text: &str) -> Result<(), Problem> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Problem::Written)
}

async fn run(ps: &Ps) -> Result<(), Problem> {
    let (page, mut found) = match &ps.target {
        Target::Url(url) => {
            let page = Page::at(url)?;
            let found = page.look().await?;
            (page, found)
        }
        Target::Pid(pid) => find::page_of(*pid).await?,
    };
    let terminal = Terminal::of_stdout();
    let Some(every) = ps.watch else {
        return show(&found, ps, &terminal);
    };
    loop {
        if !ps.json {
            say(terminal.clear())?;
        }
        show(&found, ps, &terminal)?;
        tokio::select! {
            () = tokio::time::sleep(every.max(Duration::from_millis(100))) => {}
            // Asked to go, by whoever watches: that is no failure.
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        found = page.look().await?;
    }
}

fn show(snapshot: &Snapshot, ps: &Ps, terminal: &Terminal) -> Result<(), Problem> {
    if ps.json {
        let mut text = serde_json::to_string(snapshot).map_err(Problem::NoJson)?;
        text.push('\n');
        return say(&text);
    }
    say(&tree::written(snapshot, ps, terminal))
}
