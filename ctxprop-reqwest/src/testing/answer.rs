//! [`Answer`]: what a script answers.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http_body::Frame;
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::{Body, StatusCode, Url};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// What a [`Script`](super::Script) answers: a status, headers and a body, after a time; or that nobody is there.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use ctxprop_reqwest::StatusCode;
/// use ctxprop_reqwest::testing::Answer;
///
/// let slow = Answer::ok("at last").after(Duration::from_secs(3));
/// let busy = Answer::status(StatusCode::SERVICE_UNAVAILABLE).header("retry-after", "1");
/// # drop((slow, busy));
/// ```
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: http::HeaderMap,
    pub(super) delay: Duration,
    pub(super) unreachable: bool,
    bytes: Bytes,
    body_delay: Option<Duration>,
}

impl Answer {
    /// An answer with this status, and no body.
    #[must_use]
    pub fn status(status: StatusCode) -> Answer {
        Answer {
            status,
            headers: http::HeaderMap::new(),
            delay: Duration::ZERO,
            unreachable: false,
            bytes: Bytes::new(),
            body_delay: None,
        }
    }

    /// A 200 with this body.
    #[must_use]
    pub fn ok(body: impl Into<Bytes>) -> Answer {
        Answer::status(StatusCode::OK).body(body)
    }

    /// A 200 with `value` as JSON.
    ///
    /// # Panics
    ///
    /// Where it cannot be written as JSON.
    #[must_use]
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Answer {
        match serde_json::to_vec(value) {
            Ok(bytes) => Answer::ok(bytes).header(CONTENT_TYPE.as_str(), "application/json"),
            Err(error) => panic!("an answer of the script cannot be written: {error}"),
        }
    }

    /// Nobody is there: the request fails as one does that gets no connection.
    #[must_use]
    pub fn unreachable() -> Answer {
        Answer { unreachable: true, ..Answer::status(StatusCode::OK) }
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Answer {
        self.bytes = body.into();
        self
    }

    /// Adds a header.
    ///
    /// # Panics
    ///
    /// Where the name or the value is none of a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Answer {
        match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => drop(self.headers.append(name, value)),
            _ => panic!("`{name}: {value}` is no header"),
        }
        self
    }

    /// The answer begins only after this time.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Answer {
        self.delay = delay;
        self
    }

    /// Its body comes so much later than its head.
    #[must_use]
    pub fn body_after(mut self, delay: Duration) -> Answer {
        self.body_delay = Some(delay);
        self
    }

    /// What is sent. It fails at `limit`, the request's own timeout.
    pub(super) fn to_body(&self, limit: Option<Instant>) -> Body {
        match self.body_delay {
            None => Body::from(self.bytes.clone()),
            Some(delay) => Body::wrap(Late {
                bytes: Some(self.bytes.clone()),
                comes: Box::pin(sleep(delay)),
                limit: limit.map(|limit| Box::pin(sleep_until(limit))),
            }),
        }
    }
}

/// A body that comes later than its head.
struct Late {
    bytes: Option<Bytes>,
    comes: Pin<Box<Sleep>>,
    limit: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Late {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.bytes.is_none() {
            return Poll::Ready(None);
        }
        if self.comes.as_mut().poll(cx).is_ready() {
            return Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))));
        }
        let limit = self.limit.as_mut().map(|limit| limit.as_mut().poll(cx));
        if limit.is_some_and(|limit| limit.is_ready()) {
            self.bytes = None;
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        }
        Poll::Pending
    }
}

/// The error of reqwest where there is no connection to `url`: a client of its own, which finds no address for any name.
pub(super) async fn unreachable(url: &Url) -> reqwest::Error {
    struct Nowhere;

    impl Resolve for Nowhere {
        fn resolve(&self, _: Name) -> Resolving {
            Box::pin(async { Err(io::Error::from(io::ErrorKind::NotFound).into()) })
        }
    }

    let client = match reqwest::Client::builder().no_proxy().dns_resolver(Arc::new(Nowhere)).build()
    {
        Ok(client) => client,
        Err(error) => return error,
    };
    match client.get(NOWHERE).send().await {
        Err(error) => error.with_url(url.clone()),
        Ok(_) => panic!("`{NOWHERE}` was found without an address"),
    }
}

/// A name that no address is asked for.
const NOWHERE: &str = "http://nowhere.invalid/";
