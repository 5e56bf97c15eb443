//! How a call's end is told to its caller: the code, and whose deadline it was that has passed.

use ctxprop::Cancelled;
use ctxprop_server::Granted;
use http::{HeaderMap, HeaderValue};
use tonic::{Code, Status};

use super::call::InFlight;
use crate::{DEADLINE_EXCEEDED, TRACE_ID};

/// The code that headers or trailers tell; `None` where they tell none.
pub(crate) fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()))
}

/// Whose deadline a status is about, where it is about one. `source` is what it was made of, if that is known.
fn whose(request: &InFlight, code: Code, source: Option<&Status>) -> Option<Granted> {
    if code != Code::DeadlineExceeded {
        return None;
    }
    let told = source.and_then(|status| Cancelled::find_in(status));
    request.whose_deadline(told.is_some_and(Cancelled::is_deadline))
}

/// Puts into what tells the call's end whose deadline it was, and notes both.
pub(crate) fn tell(request: &mut InFlight, headers: &mut HeaderMap, source: Option<&Status>) {
    let Some(code) = code(headers) else { return };
    let whose = whose(request, code, source);
    // What another hop said of its caller is not ours to repeat: that was us.
    match whose {
        Some(whose) => {
            headers.insert(DEADLINE_EXCEEDED, HeaderValue::from_static(whose.as_str()));
        }
        // Nothing is beside the code where all went well.
        None if headers.len() == 1 => {}
        None => drop(headers.remove(DEADLINE_EXCEEDED)),
    }
    request.respond(code, whose);
}

/// Puts the trace id into the headers of a response.
pub(crate) fn echo(request: &InFlight, headers: &mut HeaderMap) {
    if let Ok(id) = HeaderValue::try_from(request.ctx().span().trace_id().to_string()) {
        headers.insert(TRACE_ID, id);
    }
}

/// The trailers of a call that the end of its context cut short.
pub(crate) fn trailers(request: &mut InFlight, cancelled: Cancelled) -> HeaderMap {
    let status = Status::from(cancelled);
    let mut headers = HeaderMap::with_capacity(3);
    if status.add_header(&mut headers).is_err() {
        // Its text cannot be a header: the code can.
        headers.clear();
        headers.insert(Status::GRPC_STATUS, HeaderValue::from(status.code() as i32));
    }
    tell(request, &mut headers, Some(&status));
    headers
}
