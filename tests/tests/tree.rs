//! The spans of one request, drawn as a tree from nothing but the log lines that two real services print: from
//! `span_id` and `parent_id` in them.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use ctxprop::wire::set_active_span;
use ctxprop::{Background, Cancelled, Ctx, SpanContext, propagate};
use ctxprop_axum::{CtxLayer, Failure};
use ctxprop_reqwest::Client;
use tokio::net::TcpListener;
use tracing::Level;
use tracing_subscriber::fmt::format::FmtSpan;

/// What the services print.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl io::Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Printed {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A span, as a line shows it: `name{key=value key=value}`.
struct Line {
    name: String,
    path: Option<String>,
    parent: Option<String>,
}

/// All spans of a trace by their ids, from lines that begin with the level and then the spans, the outermost first.
fn spans(text: &str, trace: &str) -> BTreeMap<String, Line> {
    let mut spans = BTreeMap::new();
    for line in text.lines().filter(|line| line.contains(trace)) {
        let said = line.trim_start().strip_prefix("INFO ").unwrap();
        for span in said.split("}:").filter(|part| part.contains("span_id=")) {
            let (name, fields) = span.split_once('{').unwrap();
            let field = |key: &str| {
                let value = fields.split(' ').find_map(|field| field.strip_prefix(key))?;
                Some(value.strip_prefix('=')?.trim_matches('"').to_owned())
            };
            let line = Line {
                name: name.trim().to_owned(),
                path: field("path"),
                parent: field("parent_id"),
            };
            spans.insert(field("span_id").unwrap(), line);
        }
    }
    spans
}

/// What lies below `parent`, each by its own line, two blanks deeper than what it lies below.
fn draw(spans: &BTreeMap<String, Line>, parent: Option<&str>, depth: usize) -> String {
    let below = spans.iter().filter(|(_, line)| line.parent.as_deref() == parent);
    let mut drawn: Vec<_> = below
        .map(|(id, Line { name, path, .. })| {
            let path = path.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
            format!("{:depth$}{name}{path}\n", "") + &draw(spans, Some(id), depth + 2)
        })
        .collect();
    drawn.sort();
    drawn.concat()
}

#[derive(Clone)]
struct Next(Client, String);

/// Does two things at once, and a third in a task.
#[propagate]
async fn order(ctx: Ctx, State(next): State<Next>) -> Result<String, Failure> {
    let task = ctx.spawn(tell());
    let (price, stock) = tokio::try_join!(price(&next), stock(&next))?;
    task.await??;
    Ok(price + &stock)
}

#[propagate(span)]
async fn price(next: &Next) -> Result<String, Failure> {
    look_up(next).await
}

#[propagate(span, fields(articles = 1))]
async fn look_up(next: &Next) -> Result<String, Failure> {
    Ok(next.0.get(format!("{}/price", next.1)).send().await?.text().await?)
}

#[propagate]
async fn stock(next: &Next) -> Result<String, Failure> {
    Ok(next.0.get(format!("{}/stock", next.1)).send().await?.text().await?)
}

#[propagate(span)]
async fn tell() -> Result<(), Cancelled> {
    tokio::task::yield_now().await;
    Ok(())
}

#[propagate]
async fn answer(_: Ctx) -> Result<String, Cancelled> {
    read().await
}

#[propagate(span = "read from disk")]
async fn read() -> Result<String, Cancelled> {
    tracing::info!("read");
    Ok("1".to_owned())
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(tokio::spawn(ctxprop_axum::serve(listener, app.layer(CtxLayer::mesh())).into_future()));
    url
}

#[tokio::test]
async fn the_log_lines_of_a_request_are_a_tree() {
    let printed = Printed::default();
    let writer = printed.clone();
    let subscriber = tracing_subscriber::fmt()
        .without_time()
        .with_ansi(false)
        .with_span_events(FmtSpan::NEW)
        .with_writer(move || writer.clone())
        .finish();
    let _default = tracing::subscriber::set_default(subscriber);
    let shelf = Router::new().route("/price", get(answer)).route("/stock", get(answer));
    let client = Client::builder().no_proxy().build().unwrap();
    let next = Next(client.clone(), serve(shelf).await);
    let shop = serve(Router::new().route("/order", get(order)).with_state(next)).await;

    let ctx = Ctx::background();
    let answer = client.get(format!("{shop}/order")).send().with(&ctx).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "11");

    let text = printed.text();
    let trace = text.split_once("trace_id=").unwrap().1.split_once(' ').unwrap().0;
    let spans = spans(&text, trace);
    let expected = "\
request /order
  price
    look_up
      send /price
        request /price
          read from disk
  send /stock
    request /stock
      read from disk
  tell
";
    let [(client, _)] = &spans.iter().filter(|it| it.1.parent.is_none()).collect::<Vec<_>>()[..]
    else {
        panic!("one root in\n{text}")
    };
    // The caller is a client of ours, whose hop is the first span.
    assert_eq!(draw(&spans, Some(client), 0), expected, "{text}");
    assert_eq!(spans.len(), expected.lines().count() + 1, "{text}");
}

thread_local!(static ASKED: Cell<u32> = const { Cell::new(0) });

/// Another tracing system, which is in no span.
fn asked(_: &SpanContext) -> Option<SpanContext> {
    ASKED.set(ASKED.get() + 1);
    None
}

#[tokio::test]
async fn where_a_span_is_disabled_its_parent_is_not_looked_up() {
    assert!(set_active_span(asked));
    let ctx = Ctx::background().child_span();
    for (level, times) in [(Level::WARN, 0), (Level::INFO, 1)] {
        let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(io::sink);
        let _default = tracing::subscriber::set_default(subscriber.finish());
        tell().with(&ctx).await.unwrap();
        assert_eq!(ASKED.take(), times, "{level}");
    }
}
