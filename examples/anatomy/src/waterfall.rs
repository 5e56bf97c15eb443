//! Draws the spans of one trace under each other, each as long as it took.

use std::fmt;
use std::time::Instant;

use anstyle::Style;
use serde::Serialize;

use crate::spans::Span;
use crate::story::{color, round};

/// One line of the waterfall.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Bar {
    name: String,
    service: &'static str,
    span_id: String,
    parent_id: String,
    /// How many spans it is below the first.
    depth: usize,
    from_ms: f64,
    took_ms: f64,
}

/// The bars of a trace, parents before their children.
pub(crate) fn bars(spans: &[Span]) -> Vec<Bar> {
    let Some(first) = spans.iter().map(|span| span.began).min() else {
        return Vec::new();
    };
    let ms = |from: Instant, to: Instant| {
        round(to.saturating_duration_since(from).as_secs_f64() * 1_000.0)
    };
    let mut bars = Vec::new();
    let mut rest: Vec<&Span> = spans.iter().rev().collect();
    let known = |id: &str| spans.iter().any(|span| span.field("span_id") == id);
    let mut depths: Vec<(String, usize)> = Vec::new();
    while let Some(span) = rest.pop() {
        let parent_id = span.field("parent_id").to_owned();
        let depth =
            depths.iter().find(|(id, _)| *id == parent_id).map_or(0, |(_, depth)| depth + 1);
        if depth == 0 && known(&parent_id) && !rest.is_empty() {
            // Its parent comes later.
            rest.insert(0, span);
            continue;
        }
        depths.push((span.field("span_id").to_owned(), depth));
        let (name, service) = name(span);
        bars.push(Bar {
            name,
            service,
            span_id: span.field("span_id").to_owned(),
            parent_id,
            depth,
            from_ms: ms(first, span.began),
            took_ms: span.ended.map_or(0.0, |ended| ms(span.began, ended)),
        });
    }
    bars
}

/// What to call a span, and whose it is.
fn name(span: &Span) -> (String, &'static str) {
    let what = if span.name == "request" { span.field("route") } else { span.field("path") };
    let service = match what {
        "/checkout" => "gateway",
        "/authorize" => "auth",
        "/orders" => "orders",
        _ => "ledger",
    };
    match span.name {
        "request" => (format!("{service} {what}"), service),
        _ => (format!("→ {service}"), service),
    }
}

/// The width to draw in: that of the terminal, or 100 where there is none.
pub(crate) fn terminal_width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0).clamp(60, 200))
}

/// A name may take this much of a line.
const NAME: usize = 30;

pub(crate) fn draw(f: &mut fmt::Formatter<'_>, bars: &[Bar], width: usize) -> fmt::Result {
    let total = bars.iter().map(|bar| bar.from_ms + bar.took_ms).fold(1.0, f64::max);
    let room = width.saturating_sub(NAME + 16) as f64;
    for bar in bars {
        let color: Style = color(bar.service);
        let indent = " ".repeat(2 * bar.depth);
        let name: String = format!("{indent}{}", bar.name).chars().take(NAME).collect();
        let before = (bar.from_ms / total * room).round() as usize;
        let long = ((bar.took_ms / total * room).round() as usize).max(1);
        let block = if bar.name.starts_with('→') { "─" } else { "█" };
        writeln!(
            f,
            "  {name:<NAME$} {}{color}{}{color:#} {:.1} ms",
            " ".repeat(before),
            block.repeat(long),
            bar.took_ms
        )?;
    }
    Ok(())
}
