//! What is told, in order: to people as lines, to scripts as JSON lines, and to a recording.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::recording::{Recording, What};
use crate::waterfall;

/// One thing that happened. Times are milliseconds since the scene began.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    Scene {
        scene: &'static str,
        title: &'static str,
    },
    Arrived {
        at_ms: f64,
        service: &'static str,
        trace_id: String,
        span_id: String,
        left_ms: Option<f64>,
        baggage: BTreeMap<String, String>,
    },
    Departed {
        at_ms: f64,
        service: &'static str,
        left_ms: Option<f64>,
        said: String,
    },
    SawTheEnd {
        at_ms: f64,
        service: &'static str,
        cause: String,
    },
    Unwound {
        at_ms: f64,
        service: &'static str,
        cause: String,
    },
    Released {
        at_ms: f64,
        service: &'static str,
        what: String,
    },
    Answered {
        at_ms: f64,
        status: u16,
        deadline_exceeded: Option<String>,
        body: String,
    },
    /// The client closed its connection. Only a recording is told: the scene says so in its title.
    Left {
        at_ms: f64,
    },
    Received {
        at_ms: f64,
        service: &'static str,
        headers: BTreeMap<String, String>,
    },
    Counted {
        service: &'static str,
        started: usize,
        answered: usize,
        unwound: usize,
        running: usize,
    },
    Checked {
        what: String,
        held: bool,
    },
    Waterfall {
        trace_id: String,
        spans: Vec<waterfall::Bar>,
    },
}

/// How a story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    Lines,
    Json,
    /// To its recording alone.
    Silent,
}

/// Tells events as they come.
#[derive(Clone)]
pub(crate) struct Story {
    voice: Voice,
    recording: Option<Recording>,
    held: Arc<AtomicBool>,
    began: Instant,
}

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// The colour of a service, here and in the waterfall.
pub(crate) fn color(service: &str) -> Style {
    match service {
        "gateway" => AnsiColor::Cyan,
        "auth" => AnsiColor::Magenta,
        "orders" => AnsiColor::Yellow,
        _ => AnsiColor::Blue,
    }
    .on_default()
}

impl Story {
    pub(crate) fn new(voice: Voice, recording: Option<Recording>) -> Story {
        Story { voice, recording, held: Arc::new(AtomicBool::new(true)), began: Instant::now() }
    }

    /// The same story with the clock at zero.
    pub(crate) fn begin(&self) -> Story {
        Story { began: Instant::now(), ..self.clone() }
    }

    pub(crate) fn at_ms(&self) -> f64 {
        round(self.began.elapsed().as_secs_f64() * 1_000.0)
    }

    /// Whether everything that was checked held.
    pub(crate) fn held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    pub(crate) fn check(&self, what: impl Into<String>, held: bool) {
        self.held.fetch_and(held, Ordering::SeqCst);
        self.tell(&Event::Checked { what: what.into(), held });
    }

    pub(crate) fn tell(&self, event: &Event) {
        match self.voice {
            Voice::Lines => anstream::print!("{}", Lines(event)),
            Voice::Json => match serde_json::to_string(event) {
                Ok(line) => println!("{line}"),
                Err(error) => eprintln!("an event that is no JSON: {error}"),
            },
            Voice::Silent => {}
        }
        self.note(|| event.clone());
    }

    /// Tells the recording alone, if there is one: what would be too much to read in a terminal.
    pub(crate) fn note(&self, event: impl FnOnce() -> Event) {
        if let Some(recording) = &self.recording {
            recording.push(What::Told { told: event() });
        }
    }
}

/// To a tenth of a millisecond.
pub(crate) fn round(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

struct Lines<'a>(&'a Event);

impl std::fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let left = |left: &Option<f64>| {
            left.map_or_else(|| "no deadline".to_owned(), |ms| format!("{ms:.1} ms left"))
        };
        match self.0 {
            Event::Scene { scene, title } => writeln!(f, "\n{BOLD}({scene}) {title}{BOLD:#}"),
            Event::Arrived { at_ms, service, trace_id, span_id, left_ms, baggage } => {
                hop(f, *at_ms, service)?;
                writeln!(f, "arrived   {:<18} {}", left(left_ms), pairs(baggage, "no baggage"))?;
                writeln!(f, "{:23}{DIM}trace {trace_id}  span {span_id}{DIM:#}", "")
            }
            Event::Departed { at_ms, service, left_ms, said } => {
                hop(f, *at_ms, service)?;
                writeln!(f, "departed  {:<18} {said}", left(left_ms))
            }
            Event::SawTheEnd { at_ms, service, cause } => {
                hop(f, *at_ms, service)?;
                writeln!(f, "saw the end: {cause}")
            }
            Event::Unwound { at_ms, service, cause } => {
                hop(f, *at_ms, service)?;
                writeln!(f, "unwound   {cause}")
            }
            Event::Released { at_ms, service, what } => {
                hop(f, *at_ms, service)?;
                writeln!(f, "released  {what}, under a shield")
            }
            Event::Answered { at_ms, status, deadline_exceeded, body } => {
                hop(f, *at_ms, "client")?;
                let whose = deadline_exceeded
                    .as_ref()
                    .map(|whose| format!("x-deadline-exceeded: {whose}  "));
                writeln!(f, "answer    {BOLD}{status}{BOLD:#}  {}{body}", whose.unwrap_or_default())
            }
            Event::Left { at_ms } => {
                hop(f, *at_ms, "client")?;
                writeln!(f, "left")
            }
            Event::Received { at_ms, service, headers } => {
                hop(f, *at_ms, service)?;
                writeln!(f, "received")?;
                for (name, value) in headers {
                    writeln!(f, "{:23}{DIM}{name}: {value}{DIM:#}", "")?;
                }
                Ok(())
            }
            Event::Counted { service, started, answered, unwound, running } => {
                let color = color(service);
                writeln!(
                    f,
                    "  {:>9}  {color}{service:<9}{color:#} started {started}, answered {answered}, unwound {unwound}, \
                     running {running}",
                    ""
                )
            }
            Event::Checked { what, held: true } => {
                writeln!(f, "  {:>9}  {GOOD}held{GOOD:#}      {what}", "")
            }
            Event::Checked { what, held: false } => {
                writeln!(f, "  {:>9}  {BAD}BROKEN{BAD:#}    {what}", "")
            }
            Event::Waterfall { trace_id, spans } => {
                writeln!(
                    f,
                    "\n{BOLD}one trace through all of them{BOLD:#}  {DIM}{trace_id}{DIM:#}"
                )?;
                waterfall::draw(f, spans, waterfall::terminal_width())
            }
        }
    }
}

fn hop(f: &mut std::fmt::Formatter<'_>, at_ms: f64, service: &str) -> std::fmt::Result {
    let color = color(service);
    write!(f, "  {at_ms:>7.1}ms  {color}{service:<9}{color:#} ")
}

fn pairs(pairs: &BTreeMap<String, String>, none: &str) -> String {
    match pairs.is_empty() {
        true => none.to_owned(),
        false => {
            pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
        }
    }
}
