//! OpenTelemetry's semantic conventions, version 1.42: what ctxprop's fields are called there, and which outcomes are
//! errors. What they have no name for begins with `ctxprop.`.

mod http;
mod rpc;

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use ctxprop::Cause;
use ctxprop::wire::{self, Request, Side};
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{KeyValue, Value};

/// What remained of the budget when the span began, in milliseconds.
const BUDGET: &str = "ctxprop.budget_ms";
/// Why the context ended, where it did: `deadline_exceeded`, `disconnected`, `cancelled`, `shutdown`, `finished` or `custom`.
const CAUSE: &str = "ctxprop.cause";

const ERROR_TYPE: &str = "error.type";

/// As a cause is displayed, and its name here.
static CAUSES: LazyLock<[(String, &str); 5]> = LazyLock::new(|| {
    [
        Cause::Finished,
        Cause::DeadlineExceeded,
        Cause::Disconnected,
        Cause::Cancelled,
        Cause::Shutdown,
    ]
    .map(|cause| (cause.to_string(), cause.as_str()))
});

/// How many attributes a hop has at the most: those that it begins with, and those that are set later, since a list that
/// grows is copied.
const MOST: usize = 10;

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

    /// That of a layer, or of a client.
    pub(super) fn of(side: Side) -> Hop {
        match side {
            Side::Server => Hop::Server,
            Side::Client => Hop::Client,
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

/// What is said of a hop's request: by the fields of its span, or by the layer or client itself.
#[derive(Default)]
struct Said<'a> {
    method: Option<Cow<'a, str>>,
    route: Option<Cow<'a, str>>,
    path: Option<Cow<'a, str>>,
    host: Option<Cow<'a, str>>,
    scheme: Option<Cow<'a, str>>,
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
                "method" => hop_said.method = Some(text(value).into()),
                "route" => hop_said.route = Some(text(value).into()),
                "path" => hop_said.path = Some(text(value).into()),
                "host" => hop_said.host = Some(text(value).into()),
                "scheme" => hop_said.scheme = Some(text(value).into()),
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

    /// A hop of which all is known: how it goes, its name, and its attributes.
    pub(super) fn of_hop(hop: &wire::Hop<'_>) -> (Self, Cow<'static, str>, Vec<KeyValue>) {
        let mut outcome = Outcome::of_function();
        outcome.hop = Hop::of(hop.side);
        let mut attributes = Vec::with_capacity(MOST);
        let name = match hop.request {
            Request::Http { method, route, scheme, host, port, path } => {
                let said = Said {
                    method: Some(method.into()),
                    route: route.map(Cow::from),
                    path: Some(path.into()),
                    host: host.map(Cow::from),
                    scheme: scheme.map(Cow::from),
                    port: port.map(i64::from),
                };
                http::tell(said, outcome.hop, &mut attributes)
            }
            Request::Grpc { service, method, host, port } => {
                outcome.rpc = true;
                let (method, host) = (Some(method.into()), host.map(Cow::from));
                let said = Said { method, host, port: port.map(i64::from), ..Said::default() };
                rpc::tell(said, service, &mut attributes)
            }
        };
        attributes.extend(hop.budget.map(budget));
        (outcome, name, attributes)
    }

    /// What an attribute that is set later is called, where it is one of ours, and what status follows.
    pub(super) fn translate(&mut self, attribute: &KeyValue) -> Option<Told> {
        if self.hop == Hop::Function {
            return None;
        }
        match attribute.key.as_str() {
            "status" => Some(self.answer(number(&attribute.value)?)),
            "failed" => Some(self.failed()),
            "cause" => Some(self.cause(&attribute.value.as_str())),
            _ => None,
        }
    }

    /// Whether an attribute is one that [`translate`](Outcome::translate) knows.
    pub(super) fn is_of_hop(attribute: &KeyValue) -> bool {
        ["status", "failed", "cause"].contains(&attribute.key.as_str())
    }

    /// The answer has this status.
    pub(super) fn answer(&mut self, code: i64) -> Told {
        let (key, value, error): (_, Value, _) = if self.rpc {
            // A status may be the client's own word for the end of its context, which has yet to be told.
            self.answered = code == 0;
            (rpc::STATUS_CODE, rpc::name(code).into(), rpc::is_error(self.hop, code))
        } else {
            self.answered = true;
            (http::STATUS_CODE, code.into(), code >= http::least_error(self.hop))
        };
        let kind = error.then(|| value.as_str().into_owned());
        let mut told = Told::saying(KeyValue::new(key, value));
        if let Some(kind) = kind {
            self.fail(&mut told, kind.into(), "");
        }
        told
    }

    /// Nothing could be sent, or no answer came.
    pub(super) fn failed(&mut self) -> Told {
        let mut told = Told::default();
        self.fail(&mut told, "_OTHER".into(), "");
        told
    }

    /// What follows of the end of the context that the span was in.
    pub(super) fn ended(&mut self, cause: &Cause) -> Option<Told> {
        // A span that outlives its request has nothing to do with that being over, nor one that has its answer.
        let apart = self.caused || self.answered || *cause == Cause::Finished;
        (!apart).then(|| self.caused(cause.as_str()))
    }

    /// A cause as it is displayed.
    fn cause(&mut self, said: &str) -> Told {
        // The text of any other is the application's own.
        let known = CAUSES.iter().find(|(text, _)| text == said);
        self.caused(known.map_or("custom", |(_, name)| name))
    }

    /// A cause by its name.
    pub(super) fn caused(&mut self, name: &'static str) -> Told {
        self.caused = true;
        let mut told = Told::saying(KeyValue::new(CAUSE, name));
        // A client that left, or a caller that needs it no more, is no error of ours.
        if name == "deadline_exceeded" {
            self.fail(&mut told, name.into(), "the deadline passed");
        }
        told
    }

    fn fail(&mut self, told: &mut Told, kind: Cow<'static, str>, description: &'static str) {
        if !std::mem::replace(&mut self.error, true) {
            told.error = Some(KeyValue::new(ERROR_TYPE, kind));
            told.status = Some(Status::error(description));
        }
    }
}

/// What follows of something that was said.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    said: Option<KeyValue>,
    error: Option<KeyValue>,
    pub(super) status: Option<Status>,
}

impl Told {
    fn saying(said: KeyValue) -> Self {
        Told { said: Some(said), ..Told::default() }
    }

    /// The attributes that are to be set.
    pub(super) fn attributes(&mut self) -> impl Iterator<Item = KeyValue> + use<> {
        [self.said.take(), self.error.take()].into_iter().flatten()
    }
}

/// What remains of a budget, as an attribute.
pub(super) fn budget(left: Duration) -> KeyValue {
    KeyValue::new(BUDGET, i64::try_from(left.as_millis()).unwrap_or(i64::MAX))
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
