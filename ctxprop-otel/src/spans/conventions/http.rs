//! What a hop over HTTP begins with, in the words of the
//! [HTTP conventions](https://opentelemetry.io/docs/specs/semconv/http/http-spans/).

use std::borrow::Cow;

use opentelemetry::{KeyValue, Value};

use super::{Hop, Said};

pub(super) const STATUS_CODE: &str = "http.response.status_code";

/// From which status code on it is an error.
pub(super) fn least_error(hop: Hop) -> i64 {
    match hop {
        // Of a server's point of view, what a client does wrong is no error.
        Hop::Server => 500,
        _ => 400,
    }
}

/// Writes what was said, and gives the span's name.
pub(super) fn tell(said: Said<'_>, hop: Hop, attributes: &mut Vec<KeyValue>) -> Cow<'static, str> {
    let mut put = |key: &'static str, value: Value| attributes.push(KeyValue::new(key, value));
    let method = said.method.unwrap_or_default();
    // A method that nobody knows would make a name and a value of each that a stranger thinks of.
    let known = known_method(&method);
    match known {
        Some(known) => put("http.request.method", known.into()),
        None => {
            put("http.request.method", "_OTHER".into());
            put("http.request.method_original", method.into_owned().into());
        }
    }
    let known = known.unwrap_or("HTTP");
    if hop == Hop::Client {
        if let (Some(scheme), Some(host), Some(path)) = (&said.scheme, &said.host, &said.path) {
            // Users, passwords and queries are nobody else's: the span never had them.
            let port = said.port.map(|port| format!(":{port}")).unwrap_or_default();
            put("url.full", format!("{scheme}://{host}{port}{path}").into());
        }
        let port = said.port.or_else(|| said.scheme.as_deref().and_then(usual_port));
        if let Some(host) = said.host {
            put("server.address", host.into_owned().into());
        }
        if let Some(port) = port {
            put("server.port", port.into());
        }
        return known.into();
    }
    if let Some(path) = said.path {
        put("url.path", path.into_owned().into());
    }
    let scheme = said.scheme.map_or_else(|| "http".into(), |scheme| scheme.into_owned().into());
    put("url.scheme", scheme);
    match said.route {
        Some(route) => {
            // Half of what `concat` costs.
            let mut name = String::with_capacity(known.len() + 1 + route.len());
            name.push_str(known);
            name.push(' ');
            name.push_str(&route);
            put("http.route", route.into_owned().into());
            name.into()
        }
        None => known.into(),
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
