//! A recording in the Chrome trace event format, which Perfetto and `chrome://tracing` read.
//!
//! Each service is a process of one track. A span is a complete event (`X`), what happened at one moment an instant (`i`),
//! what is left of the budget a counter (`C`), and a hop a flow (`s` to `f`) from the span that sent it to the one it
//! began. Times are microseconds since the recording began.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::recording::{Moment, Seen, What};
use crate::story::Event;

/// The processes, in the order in which they are drawn.
const PROCESSES: [&str; 5] = ["client", "gateway", "auth", "orders", "ledger"];

/// All have one track.
const TRACK: u32 = 1;

/// The file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trace {
    trace_events: Vec<TraceEvent>,
    display_time_unit: &'static str,
}

/// One event, with the fields that its phase has.
#[derive(Debug, Serialize)]
struct TraceEvent {
    name: String,
    cat: &'static str,
    ph: &'static str,
    ts: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    pid: usize,
    tid: u32,
    /// What ties the two ends of a flow together.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// That a flow ends in the slice around it, not in the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'static str>,
    /// How far an instant reaches: `t`, its track.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    args: Value,
}

impl Trace {
    pub(crate) fn of(moments: &[Moment]) -> Trace {
        let mut trace = Trace { trace_events: Vec::new(), display_time_unit: "ms" };
        trace.name_processes();
        trace.scenes(moments);
        trace.spans(moments);
        for moment in moments {
            trace.moment(moment);
        }
        // Viewers sort, but whoever reads the file need not.
        trace.trace_events.sort_by(|one, two| one.ts.total_cmp(&two.ts));
        trace
    }

    fn add(&mut self, ph: &'static str, name: &str, at_ms: f64, service: &str) -> &mut TraceEvent {
        let pid = PROCESSES.iter().position(|process| *process == service).unwrap_or(0) + 1;
        self.trace_events.push(TraceEvent {
            name: name.to_owned(),
            cat: "ctxprop",
            ph,
            ts: micros(at_ms),
            dur: None,
            pid,
            tid: TRACK,
            id: None,
            bp: None,
            s: None,
            args: json!({}),
        });
        let last = self.trace_events.len() - 1;
        &mut self.trace_events[last]
    }

    fn name_processes(&mut self) {
        for (index, process) in PROCESSES.iter().enumerate() {
            self.add("M", "process_name", 0.0, process).args = json!({ "name": process });
            let sorted = json!({ "sort_index": index });
            self.add("M", "process_sort_index", 0.0, process).args = sorted;
            self.add("M", "thread_name", 0.0, process).args = json!({ "name": "requests" });
        }
    }

    /// Around all that the client does, which scene it is.
    fn scenes(&mut self, moments: &[Moment]) {
        let last_ms = moments.last().map_or(0.0, |moment| moment.at_ms);
        let scenes: Vec<_> = moments
            .iter()
            .filter_map(|moment| match &moment.what {
                What::Told { told: Event::Scene { title, .. } } => Some((moment.at_ms, *title)),
                _ => None,
            })
            .collect();
        for (index, (at_ms, title)) in scenes.iter().enumerate() {
            let until_ms = scenes.get(index + 1).map_or(last_ms, |(next_ms, _)| *next_ms);
            self.add("X", title, *at_ms, "client").dur = Some(between(*at_ms, until_ms));
        }
    }

    fn spans(&mut self, moments: &[Moment]) {
        let mut ends = HashMap::new();
        for moment in moments {
            if let What::Closed { span } = &moment.what {
                ends.insert((span.name, span.span_id.as_str()), (moment.at_ms, span));
            }
        }
        let mut senders = HashMap::new();
        for moment in moments {
            let What::Opened { span } = &moment.what else { continue };
            let end = ends.get(&(span.name, span.span_id.as_str()));
            // A span that is still open has fewer fields than it will have, and no end.
            let (ph, span) = end.map_or(("B", span), |(_, closed)| ("X", *closed));
            let added = self.add(ph, &title(span), moment.at_ms, span.service);
            added.dur = end.map(|(ended_ms, _)| between(moment.at_ms, *ended_ms));
            added.args = json!(span.fields);
            if span.name == "send" {
                senders.insert(span.span_id.as_str(), (moment.at_ms, span.service));
            } else if let Some((sent_ms, sender)) = senders.get(span.parent_id.as_str()) {
                self.add("s", "hop", *sent_ms, sender).id = Some(span.parent_id.clone());
                let arrives = self.add("f", "hop", moment.at_ms, span.service);
                arrives.id = Some(span.parent_id.clone());
                arrives.bp = Some("e");
            }
        }
    }

    fn moment(&mut self, Moment { at_ms, what }: &Moment) {
        let mut instant = |name: &str, service: &str, args: Value| {
            let added = self.add("i", name, *at_ms, service);
            added.s = Some("t");
            added.args = args;
        };
        match what {
            What::Told { told } => match told {
                Event::Arrived { service, left_ms, baggage, trace_id, .. } => {
                    instant(
                        "arrived",
                        service,
                        json!({ "trace_id": trace_id, "baggage": baggage }),
                    );
                    self.budget(*at_ms, service, *left_ms);
                }
                Event::Departed { service, left_ms, said, .. } => {
                    instant("departed", service, json!({ "said": said }));
                    self.budget(*at_ms, service, *left_ms);
                }
                Event::SawTheEnd { service, cause, .. } => {
                    instant("saw the end", service, json!({ "cause": cause }));
                    self.budget(*at_ms, service, Some(0.0));
                }
                Event::Unwound { service, cause, .. } => {
                    instant("unwound", service, json!({ "cause": cause }));
                    self.budget(*at_ms, service, Some(0.0));
                }
                Event::Released { service, what, .. } => {
                    instant("released under a shield", service, json!({ "what": what }));
                }
                Event::Answered { status, deadline_exceeded, .. } => {
                    let args =
                        json!({ "status": status, "x-deadline-exceeded": deadline_exceeded });
                    instant("answer", "client", args);
                }
                Event::Left { .. } => instant("left", "client", json!({})),
                Event::Received { service, headers, .. } => {
                    instant("received", service, json!({ "headers": headers }));
                }
                Event::Scene { .. }
                | Event::Counted { .. }
                | Event::Checked { .. }
                | Event::Waterfall { .. } => {}
            },
            What::Dropped { service, header, reason } => {
                instant("dropped", service, json!({ "header": header, "reason": reason }));
            }
            What::Opened { .. } | What::Closed { .. } | What::Over => {}
        }
    }

    fn budget(&mut self, at_ms: f64, service: &str, left_ms: Option<f64>) {
        if let Some(left_ms) = left_ms {
            self.add("C", "budget", at_ms, service).args = json!({ "left_ms": left_ms });
        }
    }
}

/// What to call a span.
fn title(span: &Seen) -> String {
    let path = span.fields.get("path").map_or("", String::as_str);
    match span.name {
        "request" => format!("{} {path}", span.service),
        _ => format!("send {path}"),
    }
}

/// To a thousandth of a microsecond, as viewers read it.
fn micros(ms: f64) -> f64 {
    (ms * 1_000_000.0).round() / 1_000.0
}

/// How long it was, between the moments as they are written: what lies within a slice stays within it.
fn between(from_ms: f64, until_ms: f64) -> f64 {
    micros((micros(until_ms) - micros(from_ms)) / 1_000.0)
}
