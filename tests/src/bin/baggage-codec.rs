//! Baggage in and out as JSON lines, for whoever wants to hold it against another implementation.
//!
//! | a line of standard input | is answered by |
//! | --- | --- |
//! | `{"op":"parse","headers":["k=v;p=1"]}` | `{"entries":[{"key":"k","value":"v","props":[["p","1"]]}]}` |
//! | `{"op":"serialize","entries":[..]}` | `{"header":"k=v;p=1"}`, several lines joined by a comma |
//! | `{"op":"forward","headers":["k=v;p=1"]}` | `{"headers":["k=v;p=1"]}`, what the next hop would receive |
//! | anything else | `{"error":".."}` |
//!
//! A property without a value has `null`. What does not fit into the limits of W3C Baggage is left out by whole
//! entries, as it would be on its way. Each answer is flushed.

use std::io::{self, BufRead, Write};

use axum::http::HeaderMap;
use ctxprop::wire::{Formats, Outgoing, baggage};
use ctxprop::{BaggageErrorKind, BaggageMap, SpanContext};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Request {
    Parse { headers: Vec<String> },
    Serialize { entries: Vec<Entry> },
    Forward { headers: Vec<String> },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Parsed { entries: Vec<Entry> },
    Serialized { header: String },
    Forwarded { headers: Vec<String> },
    Failed { error: String },
}

#[derive(Serialize, Deserialize)]
struct Entry {
    key: String,
    value: String,
    #[serde(default)]
    props: Vec<(String, Option<String>)>,
}

fn answer(line: &[u8]) -> Answer {
    let answer = match serde_json::from_slice(line) {
        Ok(Request::Parse { headers }) => Ok(parse(headers)),
        Ok(Request::Serialize { entries }) => serialize(&entries),
        Ok(Request::Forward { headers }) => Ok(forward(headers)),
        Err(error) => Err(error.to_string()),
    };
    answer.unwrap_or_else(|error| Answer::Failed { error })
}

/// The lines as a message has them.
fn received(headers: Vec<String>) -> BaggageMap {
    let lines = headers.into_iter().map(|line| ("baggage".to_owned(), line));
    baggage::extract(&lines.collect::<Vec<_>>())
}

fn parse(headers: Vec<String>) -> Answer {
    let map = received(headers);
    let entry = |(key, value): (&str, &str)| Entry {
        key: key.to_owned(),
        value: value.to_owned(),
        props: map
            .properties(key)
            .map(|(key, value)| (key.to_owned(), value.map(str::to_owned)))
            .collect(),
    };
    Answer::Parsed { entries: map.iter().map(entry).collect() }
}

fn serialize(entries: &[Entry]) -> Result<Answer, String> {
    let mut builder = BaggageMap::builder();
    for Entry { key, value, props } in entries {
        let props = props.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
        if let Err(error) = builder.insert_with(key, value, props) {
            match error.kind() {
                BaggageErrorKind::TooMany { .. } | BaggageErrorKind::TooLarge { .. } => {
                    eprintln!("left out: {error}");
                }
                _ => return Err(error.to_string()),
            }
        }
    }
    Ok(Answer::Serialized { header: sent(&builder.build()).join(",") })
}

fn forward(headers: Vec<String>) -> Answer {
    Answer::Forwarded { headers: sent(&received(headers)) }
}

/// The lines that a request with this baggage has.
fn sent(map: &BaggageMap) -> Vec<String> {
    let nowhere = SpanContext::invalid();
    let outgoing = Outgoing { span: &nowhere, baggage: Some(map), remaining: None };
    let mut headers = HeaderMap::new();
    // Only a budget can be too small to be sent, and here is none.
    let _: Result<(), ctxprop::wire::Expired> = Formats::new().inject(&outgoing, &mut headers);
    let text = |line: &axum::http::HeaderValue| String::from_utf8_lossy(line.as_bytes()).into();
    headers.get_all("baggage").iter().map(text).collect()
}

fn main() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        serde_json::to_writer(&mut output, &answer(&line))?;
        output.write_all(b"\n")?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}
