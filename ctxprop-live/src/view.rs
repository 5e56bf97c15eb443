//! [`View`]: the router with the page, the JSON and the events.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, StatusCode, Uri};
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::access::Admitted;
use crate::events;
use crate::policy::Shown;
use crate::rows::{self, Tree};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPTS: [(&str, &str); 6] = [
    ("opened.js", include_str!("page/opened.js")),
    ("page.js", include_str!("page/page.js")),
    ("places.js", include_str!("page/places.js")),
    ("recent.js", include_str!("page/recent.js")),
    ("table.js", include_str!("page/table.js")),
    ("words.js", include_str!("page/words.js")),
];

/// Nothing from elsewhere, nothing inline, and in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Who may look at what: makes the router.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use axum::Router;
///
/// let app: Router = Router::new().merge(
///     ctxprop_live::View::new()
///         .show_baggage(["tenant"])
///         .refresh(Duration::from_secs(2))
///         .router(),
/// );
/// # drop(app);
/// ```
#[derive(Clone)]
#[must_use = "a view does nothing until its router is mounted"]
pub struct View {
    shared: Shared,
}

/// What all handlers of one router have in common.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) for_everyone: bool,
    pub(crate) shown: Shown,
    pub(crate) every: Duration,
}

impl Default for View {
    fn default() -> View {
        View::new()
    }
}

impl View {
    /// Loopback may look, at the keys of baggage and not at the values; once a second.
    pub fn new() -> View {
        let every = Duration::from_secs(1);
        View { shared: Shared { for_everyone: false, shown: Shown::default(), every } }
    }

    /// Answers whoever asks. What is in front of the router then decides who may look: a layer that asks for a password, a
    /// port that only operators reach.
    ///
    /// What is shown is where the code stands, routes, trace ids, and what [`show_baggage`](View::show_baggage) says.
    pub fn for_everyone(mut self) -> View {
        self.shared.for_everyone = true;
        self
    }

    /// Shows the values of baggage with these keys. What is marked private is never shown, whatever is said here.
    pub fn show_baggage<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> View {
        self.shared.shown.add(keys);
        self
    }

    /// How often the page is told what has changed. Not less than 100 ms.
    pub fn refresh(mut self, every: Duration) -> View {
        self.shared.every = every.max(Duration::from_millis(100));
        self
    }

    /// The router: `/debug/ctx` and what is below it. It goes into another by `merge`, or below a path by `nest`.
    pub fn router(self) -> Router {
        Router::new()
            .route("/debug/ctx", get(page))
            .route("/debug/ctx/page.css", get(style))
            .route("/debug/ctx/{script}", get(script))
            .route("/debug/ctx/events", get(events))
            .route("/debug/ctx/recent", get(recent))
            .route("/debug/ctx/work/{id}", get(work))
            .route("/debug/ctx/enable", post(enable))
            .with_state(Arc::new(self.shared))
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("for_everyone", &self.shared.for_everyone)
            .field("show_baggage", &self.shared.shown)
            .field("refresh", &self.shared.every)
            .finish()
    }
}

/// The same, with what nothing here is to go without.
fn answer(content_type: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, body.into()).into_response()
}

fn json<T: Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => answer("application/json", body),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What came of a look. It fails where the runtime goes down, or a look panics.
async fn apart(looks: JoinHandle<Response>) -> Response {
    looks.await.unwrap_or_else(|error| {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
    })
}

/// Whether the JSON is asked for: by the query, or as the first of what is accepted.
fn wants_json(uri: &Uri, headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let by_query = uri.query().is_some_and(|query| query.split('&').any(|it| it == "format=json"));
    by_query || accepts.trim_start().starts_with("application/json")
}

async fn page(
    _: Admitted,
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if wants_json(&uri, &headers) {
        return apart(crate::look_apart(&shared.shown, |snapshot| json(&snapshot))).await;
    }
    answer("text/html; charset=utf-8", PAGE)
}

async fn style(_: Admitted) -> Response {
    answer("text/css; charset=utf-8", STYLE)
}

async fn script(_: Admitted, Path(name): Path<String>) -> Response {
    match SCRIPTS.iter().find(|(script, _)| *script == name) {
        Some((_, script)) => answer("text/javascript; charset=utf-8", *script),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn events(_: Admitted, State(shared): State<Arc<Shared>>) -> Response {
    events::stream(shared).into_response()
}

async fn recent(_: Admitted) -> Response {
    json(&crate::recent())
}

async fn work(_: Admitted, State(shared): State<Arc<Shared>>, Path(id): Path<u64>) -> Response {
    let tree = crate::look_apart(&shared.shown, move |snapshot| match rows::tree(snapshot, id) {
        Some(tree) => json::<Tree>(&tree),
        None => (StatusCode::NOT_FOUND, "it is over\n").into_response(),
    });
    apart(tree).await
}

/// Switches on, as [`enable`](crate::enable) does. A page of somebody else cannot have it asked for: it would have to send a
/// header for which a browser first asks us.
async fn enable(_: Admitted, headers: HeaderMap) -> Response {
    if !headers.contains_key("x-ctxprop") {
        return (StatusCode::FORBIDDEN, "the header `x-ctxprop` is missing\n").into_response();
    }
    match crate::enable() {
        true => StatusCode::NO_CONTENT.into_response(),
        false => (StatusCode::CONFLICT, "another observer is installed\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a process says is text, whatever it looks like: routes, reasons, baggage that a stranger has sent.
    #[test]
    fn no_script_makes_markup_of_text() {
        let all = SCRIPTS.map(|(_, script)| script).concat();
        for way in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "srcdoc"]
        {
            assert!(!all.contains(way), "{way}");
        }
        assert!(all.contains("textContent"));
        assert!(!POLICY.contains("unsafe-"));
    }
}
