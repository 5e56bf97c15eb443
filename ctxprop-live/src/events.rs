//! The events of the page: first all rows, then at each look what has changed.
//!
//! # Invariants
//! 1. A look costs a walk over what is live, and no more is sent than what changed: ages and bars move by the page's own clock.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_core::Stream;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::model::{Counts, How, Process, Recent, Snapshot};
use crate::rows::{self, Row};
use crate::view::Shared;

/// What the page is told.
#[derive(Serialize)]
struct Told<'a> {
    now: u64,
    enabled: bool,
    process: &'a Process,
    counts: Counts,
    recent: &'a Summary,
    /// What is new, or not as it was.
    set: Vec<&'a Row>,
    /// What is there no more.
    gone: Vec<u64>,
}

/// How many ended how, without the requests themselves.
#[derive(Default, PartialEq, Serialize)]
struct Summary {
    bounds_ms: Vec<u64>,
    families: Vec<(How, Vec<u64>)>,
}

impl Summary {
    fn of(recent: &Recent) -> Summary {
        let counts = |buckets: &[crate::model::Bucket]| buckets.iter().map(|it| it.count).collect();
        let families = recent.families.iter().map(|family| (family.how, counts(&family.buckets)));
        Summary { bounds_ms: recent.bounds_ms.clone(), families: families.collect() }
    }
}

/// One page that looks.
struct Looks {
    shared: Arc<Shared>,
    ticks: Interval,
    /// The look that is under way.
    looks: Option<JoinHandle<(Snapshot, Vec<Row>)>>,
    known: HashMap<u64, Row>,
}

impl Looks {
    fn tell(&mut self, snapshot: &Snapshot, rows: Vec<Row>) -> Result<Event, serde_json::Error> {
        let mut before = std::mem::take(&mut self.known);
        let changed: Vec<&Row> =
            rows.iter().filter(|row| before.remove(&row.id).as_ref() != Some(row)).collect();
        let recent = Summary::of(&snapshot.recent);
        let told = Told {
            now: snapshot.now,
            enabled: crate::is_enabled(),
            process: &snapshot.process,
            counts: snapshot.counts,
            recent: &recent,
            set: changed,
            gone: before.into_keys().collect(),
        };
        let event =
            serde_json::to_string(&told).map(|told| Event::default().event("look").data(told));
        self.known = rows.into_iter().map(|row| (row.id, row)).collect();
        event
    }
}

impl Stream for Looks {
    type Item = Result<Event, serde_json::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let looks = match &mut this.looks {
            Some(looks) => looks,
            None => {
                ready!(this.ticks.poll_tick(cx));
                let look = crate::look_apart(&this.shared.shown, |snapshot| {
                    let rows = rows::rows(&snapshot);
                    (snapshot, rows)
                });
                this.looks.insert(look)
            }
        };
        let looked = ready!(Pin::new(looks).poll(cx));
        this.looks = None;
        // Where the runtime goes down the stream ends with it.
        let Ok((snapshot, rows)) = looked else { return Poll::Ready(None) };
        Poll::Ready(Some(this.tell(&snapshot, rows)))
    }
}

pub(crate) fn stream(
    shared: Arc<Shared>,
) -> Sse<impl Stream<Item = Result<Event, serde_json::Error>>> {
    let mut ticks = interval(shared.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Sse::new(Looks { shared, ticks, looks: None, known: HashMap::new() })
        .keep_alive(KeepAlive::default())
}
