//! A real OTLP collector: oteltap, which prints each span as a line of JSON.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::process::Process;

pub(crate) struct Sink {
    process: Process,
    port: u16,
}

impl Sink {
    pub(crate) fn start(python: &Path) -> Sink {
        // It takes no port 0, so one is asked for that is free now.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(python);
        command.args(["-u", "-m", "oteltap", "--port", &port.to_string()]);
        let mut process = Process::start(&mut command);
        process.says("Listening");
        Sink { process, port }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next `count` spans that come.
    pub(crate) fn spans(&mut self, count: usize) -> Spans {
        let mut spans = Vec::new();
        while spans.len() < count {
            let line = self.process.line();
            if line.starts_with('{') {
                spans.push(Exported(serde_json::from_str(&line).unwrap()));
            }
        }
        Spans(spans)
    }
}

/// One span as it was exported.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exported(Value);

/// The kinds of spans, as OTLP numbers them.
pub(crate) const INTERNAL: u64 = 1;
pub(crate) const SERVER: u64 = 2;
pub(crate) const CLIENT: u64 = 3;

impl Exported {
    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap()
    }

    pub(crate) fn name(&self) -> &str {
        self.text("name")
    }

    pub(crate) fn kind(&self) -> u64 {
        self.0["kind"].as_u64().unwrap()
    }

    pub(crate) fn trace_id(&self) -> &str {
        self.text("traceId")
    }

    pub(crate) fn span_id(&self) -> &str {
        self.text("spanId")
    }

    pub(crate) fn parent_id(&self) -> &str {
        self.text("parentSpanId")
    }

    pub(crate) fn trace_state(&self) -> &str {
        self.text("traceState")
    }

    /// Whether its status is an error.
    pub(crate) fn failed(&self) -> bool {
        match self.0["status"]["code"].as_u64() {
            Some(0) | None => false,
            Some(2) => true,
            other => panic!("a status {other:?} of nobody: {self:?}"),
        }
    }

    pub(crate) fn attributes(&self) -> HashMap<&str, &str> {
        let attributes = self.0["attributes"].as_array().unwrap().iter();
        attributes
            .filter_map(|it| {
                let value = it["value"].as_object()?.values().next()?.as_str()?;
                Some((it["key"].as_str()?, value))
            })
            .collect()
    }
}

/// All spans of a test.
#[derive(Debug)]
pub(crate) struct Spans(pub(crate) Vec<Exported>);

impl Spans {
    /// The spans from the one whose parent is `above` down to the last, where each has one child only.
    pub(crate) fn chain(&self, above: &str) -> Vec<&Exported> {
        let mut chain: Vec<&Exported> = Vec::new();
        loop {
            let parent = chain.last().map_or(above, |span| span.span_id());
            let children: Vec<_> =
                self.0.iter().filter(|span| span.parent_id() == parent).collect();
            match children[..] {
                [] => return chain,
                [one] => chain.push(one),
                _ => panic!("{} spans below {parent}: {children:#?}", children.len()),
            }
        }
    }

    pub(crate) fn named(&self, name: &str) -> &Exported {
        let named: Vec<_> = self.0.iter().filter(|span| span.name() == name).collect();
        match named[..] {
            [one] => one,
            _ => panic!("{} spans `{name}`", named.len()),
        }
    }
}
