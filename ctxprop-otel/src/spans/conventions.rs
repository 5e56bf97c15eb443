//! OpenTelemetry's semantic conventions: what ctxprop's fields are called there, and which outcomes are errors.
//!
//! [HTTP spans](https://opentelemetry.io/docs/specs/semconv/http/http-spans/), version 1.41. Their own names, where the
//! conventions have none, begin with `ctxprop.`.

use std::borrow::Cow;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{KeyValue, Value};

/// What remained of the budget when the span began, in milliseconds.
pub(super) const BUDGET: &str = "ctxprop.budget_ms";
/// Why the context ended, where it did: `deadline_exceeded`, `disconnected`, `cancelled`, `shutdown`, `finished` or `custom`.
pub(super) const CAUSE: &str = "ctxprop.cause";

const ERROR_TYPE: &str = "error.type";
const STATUS_CODE: &str = "http.response.status_code";

/// Which of ctxprop's spans one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hop {
    /// The server layer's `request`.
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
            "request" => Some(Hop::Server),
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

    /// Renames the attributes that the span begins with, and gives its name, where it has a better one.
    pub(super) fn begin(self, attributes: &mut Vec<KeyValue>) -> Option<Cow<'static, str>> {
        if self == Hop::Function {
            return None;
        }
        let mut said = Said::default();
        let all = std::mem::take(attributes);
        attributes.reserve(all.len() + 2);
        for attribute in all {
            let value = attribute.value;
            match attribute.key.as_str() {
                "method" => said.method = Some(text(value)),
                "route" => said.route = Some(text(value)),
                "path" => said.path = Some(text(value)),
                "host" => said.host = Some(text(value)),
                "scheme" => said.scheme = Some(text(value)),
                "port" => said.port = number(&value),
                "budget" | "target" => {}
                _ => attributes.push(KeyValue::new(attribute.key, value)),
            }
        }
        Some(said.tell(self, attributes))
    }
}

/// What a hop's span says of its request.
#[derive(Default)]
struct Said {
    method: Option<String>,
    route: Option<String>,
    path: Option<String>,
    host: Option<String>,
    scheme: Option<String>,
    port: Option<i64>,
}

impl Said {
    /// Writes it as the conventions have it, and gives the span's name.
    fn tell(self, hop: Hop, attributes: &mut Vec<KeyValue>) -> Cow<'static, str> {
        let mut put = |key: &'static str, value: Value| attributes.push(KeyValue::new(key, value));
        let method = self.method.unwrap_or_default();
        // A method that nobody knows would make a name and a value of each that a stranger thinks of.
        let known = known_method(&method);
        match known {
            Some(known) => put("http.request.method", known.into()),
            None => {
                put("http.request.method", "_OTHER".into());
                put("http.request.method_original", method.into());
            }
        }
        let known = known.unwrap_or("HTTP");
        if hop == Hop::Client {
            if let (Some(scheme), Some(host), Some(path)) = (&self.scheme, &self.host, &self.path) {
                let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
                put("url.full", format!("{scheme}://{host}{port}{path}").into());
            }
            let port = self.port.or_else(|| self.scheme.as_deref().and_then(usual_port));
            if let Some(host) = self.host {
                put("server.address", host.into());
            }
            if let Some(port) = port {
                put("server.port", port.into());
            }
            return known.into();
        }
        if let Some(path) = self.path {
            put("url.path", path.into());
        }
        put("url.scheme", self.scheme.unwrap_or_else(|| "http".to_owned()).into());
        match self.route {
            Some(route) => {
                let name = format!("{known} {route}");
                put("http.route", route.into());
                name.into()
            }
            None => known.into(),
        }
    }
}

/// How a span went, as far as it said so until now.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    error: bool,
    caused: bool,
    answered: bool,
}

impl Outcome {
    /// What an attribute that is set later is called, where it is one of ours, and what status follows.
    pub(super) fn translate(&mut self, hop: Hop, attribute: &KeyValue) -> Option<Told> {
        match attribute.key.as_str() {
            "status" => {
                let code = number(&attribute.value)?;
                self.answered = true;
                let least = if hop == Hop::Server { 500 } else { 400 };
                let mut told = Told::one(KeyValue::new(STATUS_CODE, code));
                if code >= least {
                    self.fail(&mut told, code.to_string(), "");
                }
                Some(told)
            }
            "failed" => {
                let mut told = Told::default();
                self.fail(&mut told, "_OTHER".to_owned(), "");
                Some(told)
            }
            "cause" => Some(self.cause(&text(attribute.value.clone()))),
            _ => None,
        }
    }

    /// The end of the context, told by what it displays, where nobody has told it before.
    pub(super) fn ended(&mut self, cause: &ctxprop::Cause) -> Option<Told> {
        // A span that outlives its request has nothing to do with that being over, nor one that has its answer.
        let apart = self.caused || self.answered || *cause == ctxprop::Cause::Finished;
        (!apart).then(|| self.cause(&cause.to_string()))
    }

    fn cause(&mut self, said: &str) -> Told {
        use ctxprop::Cause;
        self.caused = true;
        let is = |cause: Cause| cause.to_string() == said;
        let name = match () {
            () if is(Cause::DeadlineExceeded) => "deadline_exceeded",
            () if is(Cause::Finished) => "finished",
            () if is(Cause::Disconnected) => "disconnected",
            () if is(Cause::Cancelled) => "cancelled",
            () if is(Cause::Shutdown) => "shutdown",
            // The text of any other is the application's own.
            () => "custom",
        };
        let mut told = Told::one(KeyValue::new(CAUSE, name));
        // A client that left, or a caller that needs it no more, is no error of ours.
        if name == "deadline_exceeded" {
            self.fail(&mut told, name.to_owned(), "the deadline passed");
        }
        told
    }

    fn fail(&mut self, told: &mut Told, kind: String, description: &'static str) {
        if !std::mem::replace(&mut self.error, true) {
            told.attributes.push(KeyValue::new(ERROR_TYPE, kind));
            told.status = Some(Status::error(description));
        }
    }
}

/// What follows of something that was said.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) attributes: Vec<KeyValue>,
    pub(super) status: Option<Status>,
}

impl Told {
    fn one(attribute: KeyValue) -> Told {
        Told { attributes: vec![attribute], status: None }
    }
}

/// The attribute with this key, taken out.
pub(super) fn take(attributes: &mut Vec<KeyValue>, key: &str) -> Option<Value> {
    let at = attributes.iter().position(|attribute| attribute.key.as_str() == key)?;
    Some(attributes.remove(at).value)
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

fn usual_port(scheme: &str) -> Option<i64> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

fn known_method(method: &str) -> Option<&'static str> {
    const KNOWN: [&str; 10] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];
    KNOWN.into_iter().find(|known| *known == method)
}
