//! `cargo run -p otel`: three services, each a process of its own, that export one trace by OTLP.
//!
//! Without arguments it starts the three, places an order, and tells the id of its trace. The spans go to
//! `OTEL_EXPORTER_OTLP_ENDPOINT`, or `http://localhost:4318`: start a collector there first, for instance
//! `pip install oteltap && python -m oteltap`, which prints them.
//!
//! `otel serve gateway|auth|orders [NEXT]` runs one of them: it tells its address on its first line, then logs, and
//! goes down when its standard input ends.
//!
//! Read `telemetry.rs` to see how ctxprop and OpenTelemetry are put together, `services/` for how little of it a
//! service sees.

use std::error::Error;
use std::process::ExitCode;

mod play;
mod services;
mod telemetry;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        [] => play::play(),
        ["serve", service] => serve(service, None),
        ["serve", service, next] => serve(service, Some(next)),
        _ => {
            eprintln!("usage: otel [serve gateway|auth|orders [NEXT]]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(service: &str, next: Option<&str>) -> Result<(), Box<dyn Error>> {
    // Outside of the runtime, because the exporter has a client that blocks.
    let telemetry = telemetry::Telemetry::install(service)?;
    let served = tokio::runtime::Runtime::new()?.block_on(services::serve(service, next));
    telemetry.shutdown();
    served
}
