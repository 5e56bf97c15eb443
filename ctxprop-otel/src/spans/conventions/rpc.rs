//! What a hop over gRPC begins with, in the words of the
//! [gRPC conventions](https://opentelemetry.io/docs/specs/semconv/rpc/grpc/). It is known by its field `service`.

use std::borrow::Cow;

use opentelemetry::KeyValue;

use super::{Hop, Said};

pub(super) const STATUS_CODE: &str = "rpc.response.status_code";

/// Writes what was said, and gives the span's name.
pub(super) fn tell(
    said: Said<'_>,
    service: &str,
    attributes: &mut Vec<KeyValue>,
) -> Cow<'static, str> {
    let method = [service, "/", said.method.as_deref().unwrap_or_default()].concat();
    attributes.push(KeyValue::new("rpc.system.name", "grpc"));
    attributes.push(KeyValue::new("rpc.method", method.clone()));
    if let Some(host) = said.host {
        attributes.push(KeyValue::new("server.address", host.into_owned()));
    }
    if let Some(port) = said.port {
        attributes.push(KeyValue::new("server.port", port));
    }
    method.into()
}

/// The name of a status code.
pub(super) fn name(code: i64) -> Cow<'static, str> {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let known = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    known.map_or_else(|| code.to_string().into(), |name| Cow::Borrowed(*name))
}

/// Whether a status code is an error. Being told to stop, `CANCELLED`, is none.
pub(super) fn is_error(hop: Hop, code: i64) -> bool {
    match hop {
        // Of a server's point of view, what a client does wrong is no error.
        Hop::Server => matches!(code, 2 | 4 | 12 | 13 | 14 | 15),
        _ => !matches!(code, 0 | 1),
    }
}
