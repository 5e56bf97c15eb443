//! What 200 annotated functions cost `cargo check`, beside 200 plain ones, 200 with `#[tracing::instrument]`, 200 with
//! `#[fastrace::trace]` and 200 `#[async_trait]` methods. Each style is a crate of its own, checked in turns; the fastest of the rounds counts, since
//! noise only adds. With `--instructions` what rustc and the macros in it execute is counted instead, by valgrind, which
//! takes a minute a style and does not depend on what else the machine does.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --bin check-time [-- --instructions]`

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use ctxprop_benches::check_time::{
    STYLES, cargo_check, home, millions, ran_as_wrapper, run, write,
};

const ROUNDS: usize = 7;

fn main() -> ExitCode {
    if let Some(code) = ran_as_wrapper() {
        return code;
    }
    let home = home();
    let dirs: Vec<_> = STYLES.iter().map(|style| home.join(style.name)).collect();
    let target = home.join("target");
    for (style, dir) in STYLES.iter().zip(&dirs) {
        write(dir, style);
        let _ = run(cargo_check(dir, &target));
    }
    if env::args().any(|arg| arg == "--instructions") {
        let counts: Vec<_> = dirs.iter().map(|dir| millions(dir, &target)).collect();
        for (style, count) in STYLES.iter().zip(&counts) {
            let ratio = count / counts[0];
            println!("{:12} {count:8.0} million instructions  {ratio:5.2} times plain", style.name);
        }
        return ExitCode::SUCCESS;
    }
    let mut fastest = [Duration::MAX; STYLES.len()];
    for _ in 0..ROUNDS {
        for (fastest, dir) in fastest.iter_mut().zip(&dirs) {
            *fastest = run(cargo_check(dir, &target)).min(*fastest);
        }
    }
    for (style, time) in STYLES.iter().zip(fastest) {
        let ratio = time.as_secs_f64() / fastest[0].as_secs_f64();
        println!("{:12} {time:8.2?}  {ratio:5.2} times plain", style.name);
    }
    ExitCode::SUCCESS
}
