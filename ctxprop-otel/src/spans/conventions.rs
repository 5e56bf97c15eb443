//! OpenTelemetry's semantic conventions, version 1.42: what ctxprop's fields are called there, and which outcomes are
//! errors. What they have no name for begins with `ctxprop.`.

mod http;
mod rpc;

use std::borrow::Cow;
use std::sync::LazyLock;

use ctxprop::Cause;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{KeyValue, Value};

/// What remained of the budget when the span began, in milliseconds.
pub(super) const BUDGET: &str = "ctxprop.budget_ms";
/// Why the context ended, where it did: `deadline_exceeded`, `disconnected`, `cancelled`, `shutdown`, `finished` or `custom`.
pub(super) const CAUSE: &str = "ctxprop.cause";

const ERROR_TYPE: &str = "error.type";

/// As a cause is displayed, and its name here.
static CAUSES: LazyLock<[(String, &str); 5]> = LazyLock::new(|| {
    [
        (Cause::Finished, "finished"),
        (Cause::DeadlineExceeded, "deadline_exceeded"),
        (Cause::Disconnected, "disconnected"),
        (Cause::Cancelled, "cancelled"),
        (Cause::Shutdown, "shutdown"),
    ]
    .map(|(cause, name)| (cause.to_string(), name))
});

/// Which of ctxprop's spans one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hop {
    /// A server layer's: `request` over HTTP, `call` over gRPC.
    Server,
    /// A client's `send`.
    Client,
    /// A function's, by `#[propagate(span)]`.
    Function,
}

impl Hop {
    /// The span of target `ctxprop` with this name.
    pub(super) fn named(name: &str) -> Option<Hop> {
        match name {
            "request" | "call" => Some(Hop::Server),
            "send" => Some(Hop::Client),
            _ => None,
        }
    }

    pub(super) fn kind(self) -> SpanKind {
        match self {
            Hop::Server => SpanKind::Server,
            Hop::Client => SpanKind::Client,
            Hop::Function => SpanKind::Internal,
        }
    }
}

/// What the fields of a hop's span say of its request.
#[derive(Default)]
struct Said {
    method: Option<String>,
    route: Option<String>,
    path: Option<String>,
    host: Option<String>,
    scheme: Option<String>,
    port: Option<i64>,
}

/// How a span begins.
pub(super) struct Begun {
    pub(super) outcome: Outcome,
    /// Where the conventions have one.
    pub(super) name: Option<Cow<'static, str>>,
    pub(super) attributes: Vec<KeyValue>,
    /// What it says of its end: of a span that nobody ever entered, such as that of a request that was refused, all is
    /// known by now.
    pub(super) known_by_now: Vec<KeyValue>,
}

/// How a span of ctxprop's goes, as far as it has said so until now.
#[derive(Debug)]
pub(super) struct Outcome {
    hop: Hop,
    rpc: bool,
    error: bool,
    caused: bool,
    answered: bool,
}

impl Outcome {
    /// Of a span that is no hop.
    pub(super) fn of_function() -> Self {
        Outcome { hop: Hop::Function, rpc: false, error: false, caused: false, answered: false }
    }

    /// Renames the attributes that the span says it begins with, and takes out of them the ids. `left` is what remains of the
    /// budget.
    pub(super) fn begin(hop: Hop, said: Vec<KeyValue>, left: Option<KeyValue>) -> Begun {
        let mut outcome = Outcome::of_function();
        if hop == Hop::Function {
            let mut attributes = said;
            attributes
                .retain(|it| !["trace_id", "span_id", "parent_id"].contains(&it.key.as_str()));
            attributes.extend(left);
            return Begun { outcome, name: None, attributes, known_by_now: Vec::new() };
        }
        outcome.hop = hop;
        // Never more than there are, but for a name of two and what remains.
        let mut attributes = Vec::with_capacity(said.len() + 2);
        let (mut hop_said, mut service, mut known_by_now) = (Said::default(), None, Vec::new());
        for attribute in said {
            let value = attribute.value;
            match attribute.key.as_str() {
                "trace_id" | "span_id" | "parent_id" | "budget" | "target" => {}
                "service" => service = Some(text(value)),
                "method" => hop_said.method = Some(text(value)),
                "route" => hop_said.route = Some(text(value)),
                "path" => hop_said.path = Some(text(value)),
                "host" => hop_said.host = Some(text(value)),
                "scheme" => hop_said.scheme = Some(text(value)),
                "port" => hop_said.port = number(&value),
                "status" | "failed" | "cause" => {
                    known_by_now.push(KeyValue::new(attribute.key, value));
                }
                _ => attributes.push(KeyValue::new(attribute.key, value)),
            }
        }
        outcome.rpc = service.is_some();
        let name = match service {
            Some(service) => rpc::tell(hop_said, &service, &mut attributes),
            None => http::tell(hop_said, hop, &mut attributes),
        };
        attributes.extend(left);
        Begun { outcome, name: Some(name), attributes, known_by_now }
    }

    /// What an attribute that is set later is called, where it is one of ours, and what status follows.
    pub(super) fn translate(&mut self, attribute: &KeyValue) -> Option<Told> {
        if self.hop == Hop::Function {
            return None;
        }
        match attribute.key.as_str() {
            "status" => Some(self.answer(number(&attribute.value)?)),
            "failed" => {
                let mut told = Told::default();
                self.fail(&mut told, "_OTHER".into(), "");
                Some(told)
            }
            "cause" => Some(self.cause(&attribute.value.as_str())),
            _ => None,
        }
    }

    fn answer(&mut self, code: i64) -> Told {
        let (key, value, error): (_, Value, _) = if self.rpc {
            // A status may be the client's own word for the end of its context, which has yet to be told.
            self.answered = code == 0;
            (rpc::STATUS_CODE, rpc::name(code).into(), rpc::is_error(self.hop, code))
        } else {
            self.answered = true;
            (http::STATUS_CODE, code.into(), code >= http::least_error(self.hop))
        };
        let kind = value.as_str().into_owned();
        let mut told = Told { attributes: vec![KeyValue::new(key, value)], status: None };
        if error {
            self.fail(&mut told, kind.into(), "");
        }
        told
    }

    /// What follows of the end of the context that the span was in.
    pub(super) fn ended(&mut self, cause: &Cause) -> Option<Told> {
        // A span that outlives its request has nothing to do with that being over, nor one that has its answer.
        let apart = self.caused || self.answered || *cause == Cause::Finished;
        (!apart).then(|| self.cause(&cause.to_string()))
    }

    /// A cause as it is displayed.
    fn cause(&mut self, said: &str) -> Told {
        self.caused = true;
        // The text of any other is the application's own.
        let known = CAUSES.iter().find(|(text, _)| text == said);
        let name = known.map_or("custom", |(_, name)| name);
        let mut told = Told { attributes: vec![KeyValue::new(CAUSE, name)], status: None };
        // A client that left, or a caller that needs it no more, is no error of ours.
        if name == "deadline_exceeded" {
            self.fail(&mut told, name.into(), "the deadline passed");
        }
        told
    }

    fn fail(&mut self, told: &mut Told, kind: Cow<'static, str>, description: &'static str) {
        if !std::mem::replace(&mut self.error, true) {
            told.attributes.push(KeyValue::new(ERROR_TYPE, kind));
            told.status = Some(Status::error(description));
        }
    }
}

/// What follows of something that was said.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    pub(super) attributes: Vec<KeyValue>,
    pub(super) status: Option<Status>,
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text.into(),
        other => other.to_string(),
    }
}

/// tracing-opentelemetry writes most numbers as text.
fn number(value: &Value) -> Option<i64> {
    match value {
        Value::I64(number) => Some(*number),
        Value::String(text) => text.as_str().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
