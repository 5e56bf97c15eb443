//! `--serve`: the story as a page. It is sent each moment as it happens, and draws what it was sent.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_core::Stream;
use tokio::net::TcpListener;

use crate::scenes::Error;
use crate::stage::{Act, Stage};
use crate::trace::Trace;

/// Serves the page until the process is ended.
pub(crate) async fn serve(port: u16) -> Result<(), Error> {
    let stage = Stage::build().await?;
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let url = format!("http://{}/", listener.local_addr()?);
    println!("the story is at {url} (Ctrl-C ends it)");
    open(&url);
    Ok(axum::serve(listener, app(stage)).await?)
}

fn app(stage: Stage) -> Router {
    Router::new()
        .route("/", get(|| file("text/html; charset=utf-8", include_str!("page/index.html"))))
        .route("/page.css", get(|| file("text/css; charset=utf-8", include_str!("page/page.css"))))
        .route("/page.js", get(|| script(include_str!("page/page.js"))))
        .route("/draw.js", get(|| script(include_str!("page/draw.js"))))
        .route("/story.js", get(|| script(include_str!("page/story.js"))))
        .route("/moments", get(moments))
        .route("/trace.json", get(trace))
        .route("/play/{act}", post(play))
        .route("/leave", post(leave))
        .with_state(stage)
}

async fn script(text: &'static str) -> impl IntoResponse {
    file("text/javascript; charset=utf-8", text).await
}

/// What the page loads comes from here, and nowhere else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'";

async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, &'static str); 3] = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, text)
}

async fn play(State(stage): State<Stage>, Path(act): Path<String>) -> StatusCode {
    match Act::of(&act) {
        None => StatusCode::NOT_FOUND,
        Some(act) if stage.play(act) => StatusCode::ACCEPTED,
        Some(_) => StatusCode::CONFLICT,
    }
}

async fn leave(State(stage): State<Stage>) -> StatusCode {
    if stage.leave() { StatusCode::ACCEPTED } else { StatusCode::CONFLICT }
}

async fn trace(State(stage): State<Stage>) -> Response {
    let (_, moments) = stage.recording().since(0);
    let named = (header::CONTENT_DISPOSITION, "attachment; filename=\"anatomy.trace.json\"");
    ([named], Json(Trace::of(&moments))).into_response()
}

/// All moments of the run, and then each as it comes. An event `run` says that it begins anew.
async fn moments(
    State(stage): State<Stage>,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let recording = stage.recording().clone();
    let watch = recording.watch();
    let begin = (recording, watch, None, 0, Vec::new().into_iter());
    let events = futures_util::stream::unfold(begin, async |state| {
        let (recording, mut watch, mut seen, mut from, mut pending) = state;
        loop {
            if let Some(moment) = pending.next() {
                from += 1;
                // No moment has a key that is no string, which is all that could fail.
                let event = sse::Event::default().json_data(&moment).unwrap_or_default();
                return Some((Ok(event), (recording, watch, seen, from, pending)));
            }
            // Looked at before it is read: what is added between the two wakes us again.
            watch.mark_unchanged();
            let (number, moments) = recording.since(from);
            if seen != Some(number) {
                (seen, from) = (Some(number), 0);
                let event = sse::Event::default().event("run").data(number.to_string());
                return Some((Ok(event), (recording, watch, seen, from, pending)));
            }
            if moments.is_empty() {
                watch.changed().await.ok()?;
            } else {
                pending = moments.into_iter();
            }
        }
    });
    Sse::new(events).keep_alive(sse::KeepAlive::default())
}

/// Opens the page where there is a browser to open it in.
fn open(url: &str) {
    let has = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let (program, arguments): (_, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(target_os = "windows") {
        ("cmd", &["/c", "start", ""])
    } else if has("DISPLAY") || has("WAYLAND_DISPLAY") {
        ("xdg-open", &[])
    } else {
        return;
    };
    let mut command = Command::new(program);
    command.args(arguments).arg(url).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.spawn() {
        println!("no browser was opened: {program}: {error}");
    }
}
