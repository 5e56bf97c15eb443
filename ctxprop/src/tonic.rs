//! The few trait implementations for tonic that only this crate may write, since either the trait or the type is its own.
//!
//! The layers that give calls their context are in `ctxprop-tonic`.

use std::sync::Arc;

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::cause::{Cancelled, Cause};
use crate::field_value::FieldValue;
use crate::wire::{Extract, Inject};

/// The name under which a server tells whose deadline has passed: `caller` or `server`.
const DEADLINE_EXCEEDED: &str = "x-deadline-exceeded";

/// `DEADLINE_EXCEEDED` for a deadline; `UNAVAILABLE` where the server gave up ([`Shutdown`](Cause::Shutdown),
/// [`Custom`](Cause::Custom)), which a client may try elsewhere; `CANCELLED` where the caller did.
///
/// The status has the error as its [`source`](std::error::Error::source), so within the process nothing is lost:
/// [`Cancelled::find_in`] and `Cancelled::try_from(status)` give it back.
impl From<Cancelled> for Status {
    fn from(cancelled: Cancelled) -> Status {
        let code = match cancelled.cause() {
            Cause::DeadlineExceeded => Code::DeadlineExceeded,
            Cause::Shutdown | Cause::Custom(_) => Code::Unavailable,
            Cause::Cancelled | Cause::Disconnected | Cause::Finished => Code::Cancelled,
        };
        // A custom cause is the application's own affair: its text may tell too much.
        let message = match cancelled.cause() {
            Cause::Custom(_) => "the call was abandoned".to_owned(),
            _ => cancelled.to_string(),
        };
        let mut status = Status::new(code, message);
        status.set_source(Arc::new(cancelled));
        status
    }
}

/// The end of a context that a status tells of: the very error that it was made of, where that was in this process. Of
/// another process only the code tells: `DEADLINE_EXCEEDED` is [`Cause::DeadlineExceeded`], unless the peer says that
/// it was a deadline of its own (`x-deadline-exceeded: server`), and `CANCELLED` is [`Cause::Cancelled`].
///
/// # Errors
///
/// The status itself, where it tells of no such end. `UNAVAILABLE` by another process is that server's end, and no
/// context's.
///
/// # Examples
///
/// ```
/// use ctxprop::{Cancelled, Cause};
/// use tonic::{Code, Status};
///
/// let status = Status::from(Cancelled::new(Cause::Shutdown));
/// assert_eq!(status.code(), Code::Unavailable);
/// assert_eq!(Cancelled::try_from(status).unwrap().cause(), &Cause::Shutdown);
///
/// let status = Status::deadline_exceeded("the time is up");
/// assert!(Cancelled::try_from(status).unwrap().is_deadline());
/// let status = Cancelled::try_from(Status::unavailable("try another")).unwrap_err();
/// assert_eq!(status.code(), Code::Unavailable);
/// ```
impl TryFrom<Status> for Cancelled {
    type Error = Status;

    fn try_from(status: Status) -> Result<Cancelled, Status> {
        if let Some(cancelled) = Cancelled::find_in(&status) {
            return Ok(cancelled.clone());
        }
        let own =
            || status.metadata().get(DEADLINE_EXCEEDED).is_some_and(|whose| whose == "server");
        match status.code() {
            Code::DeadlineExceeded if !own() => Ok(Cancelled::new(Cause::DeadlineExceeded)),
            Code::Cancelled => Ok(Cancelled::new(Cause::Cancelled)),
            _ => Err(status),
        }
    }
}

impl Extract for MetadataMap {
    const LOWER_CASE: bool = true;

    fn lines(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        let headers: &HeaderMap = self.as_ref();
        Extract::lines(headers)
    }
}

impl Inject for MetadataMap {
    fn append(&mut self, name: HeaderName, line: HeaderValue) {
        let headers: &mut HeaderMap = self.as_mut();
        Inject::append(headers, name, line);
    }

    fn remove(&mut self, name: &HeaderName) {
        let headers: &mut HeaderMap = self.as_mut();
        Inject::remove(headers, name);
    }

    fn set(&mut self, name: HeaderName, line: HeaderValue) {
        let headers: &mut HeaderMap = self.as_mut();
        Inject::set(headers, name, line);
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::time::Duration;

    use super::*;
    use crate::ctx::{Background, Ctx};
    use crate::span::SpanContext;
    use crate::wire::{Formats, Incoming};

    #[test]
    fn each_cause_has_its_code_and_comes_back() {
        let custom = Cause::from(std::io::Error::other("the disk of tenant 7 is full"));
        for (cause, code) in [
            (Cause::DeadlineExceeded, Code::DeadlineExceeded),
            (Cause::Cancelled, Code::Cancelled),
            (Cause::Disconnected, Code::Cancelled),
            (Cause::Finished, Code::Cancelled),
            (Cause::Shutdown, Code::Unavailable),
            (custom, Code::Unavailable),
        ] {
            let status = Status::from(Cancelled::new(cause.clone()));
            assert_eq!(status.code(), code, "{cause}");
            assert!(
                !status.message().contains("tenant 7"),
                "the text of a custom cause is not sent"
            );
            assert!(status.source().is_some());
            assert_eq!(Cancelled::try_from(status).unwrap().cause(), &cause);
        }
    }

    #[test]
    fn the_budget_comes_back_too() {
        let ctx = Ctx::background().with_timeout(Duration::ZERO);
        let cancelled = ctx.check().unwrap_err();
        let back = Cancelled::try_from(Status::from(cancelled.clone())).unwrap();
        assert_eq!(back, cancelled);
    }

    #[test]
    fn what_a_peer_says_counts_by_its_code() {
        let cause = |status| Cancelled::try_from(status).ok().map(|end| end.cause().clone());
        assert_eq!(cause(Status::cancelled("gone")), Some(Cause::Cancelled));
        assert_eq!(cause(Status::deadline_exceeded("late")), Some(Cause::DeadlineExceeded));
        let with = |whose: &'static str| {
            let mut status = Status::deadline_exceeded("late");
            status.metadata_mut().insert(DEADLINE_EXCEEDED, whose.parse().unwrap());
            status
        };
        assert_eq!(cause(with("caller")), Some(Cause::DeadlineExceeded));
        assert_eq!(cause(with("server")), None);
        for code in [Code::Unavailable, Code::Unknown, Code::Internal, Code::Ok] {
            assert_eq!(cause(Status::new(code, "")), None, "{code}");
        }
    }

    #[test]
    fn metadata_carries_a_context() {
        let ctx =
            Ctx::background().with_span(SpanContext::root()).with_timeout(Duration::from_secs(9));
        let mut metadata = MetadataMap::new();
        metadata.insert("x-mine", "stays".parse().unwrap());
        metadata.insert_bin("trace-bin", tonic::metadata::MetadataValue::from_bytes(&[0, 255]));
        metadata.insert("traceparent", "not one".parse().unwrap());
        ctx.inject(&mut metadata, &Formats::new().send_grpc_timeout(true)).unwrap();
        let incoming = Incoming::from_headers(&metadata);
        assert_eq!(incoming.span.map(|span| span.trace_id()), Some(ctx.span().trace_id()));
        assert!(incoming.budget <= Some(Duration::from_secs(9)));
        assert_eq!(metadata.get("x-mine").unwrap(), "stays");
        assert_eq!(metadata.get_bin("trace-bin").unwrap().to_bytes().unwrap(), &[0, 255][..]);
    }
}
