//! One request in one service: what it brought, how it left, and what it did in between.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use ctxprop::Ctx;

use crate::house::House;
use crate::services::{Failure, Receipt};
use crate::story::{Event, Story, round};

/// What a request brought when it arrived.
#[derive(Clone)]
pub(crate) struct Arrival {
    pub(crate) trace_id: String,
    pub(crate) left_ms: Option<f64>,
}

impl House {
    /// A request arrives at `service`.
    pub(crate) fn arrive(&self, service: &'static str, ctx: &Ctx) -> Visit {
        let counters = self.counters(service);
        counters.started.fetch_add(1, Ordering::SeqCst);
        counters.running.fetch_add(1, Ordering::SeqCst);
        let story = self.story();
        let baggage: BTreeMap<_, _> = ctx
            .baggage_map()
            .iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let (trace_id, left_ms) = (ctx.span().trace_id().to_string(), left_ms(ctx));
        self.arrived(Arrival { trace_id: trace_id.clone(), left_ms });
        let (at_ms, span_id) = (story.at_ms(), ctx.span().span_id().to_string());
        story.tell(&Event::Arrived { at_ms, service, trace_id, span_id, left_ms, baggage });
        Visit { house: self.clone(), service, ctx: ctx.clone(), story }
    }
}

/// One request in one service, from its arrival until its code is gone.
pub(crate) struct Visit {
    house: House,
    service: &'static str,
    ctx: Ctx,
    story: Story,
}

impl Visit {
    /// The request leaves with what it says, or because its context has ended.
    pub(crate) fn leave(self, said: Result<Receipt, Failure>) -> Result<Receipt, Failure> {
        let counters = self.house.counters(self.service);
        let (at_ms, service) = (self.story.at_ms(), self.service);
        match &said {
            Err(Failure::Cancelled(cancelled)) => {
                counters.unwound.fetch_add(1, Ordering::SeqCst);
                self.story.tell(&Event::Unwound { at_ms, service, cause: cancelled.to_string() });
            }
            other => {
                counters.answered.fetch_add(1, Ordering::SeqCst);
                let said = match other {
                    Ok(receipt) => format!(
                        "{} for user {} of {}",
                        receipt.item, receipt.user_id, receipt.tenant
                    ),
                    Err(failure) => failure.to_string(),
                };
                self.story.tell(&Event::Departed {
                    at_ms,
                    service,
                    left_ms: left_ms(&self.ctx),
                    said,
                });
            }
        }
        said
    }

    /// Tells that the end of the context was seen, where something is left to do before the request leaves.
    pub(crate) fn saw(&self, failure: &Failure) {
        if let Failure::Cancelled(cancelled) = failure {
            let (at_ms, cause) = (self.story.at_ms(), cancelled.to_string());
            self.story.tell(&Event::SawTheEnd { at_ms, service: self.service, cause });
        }
    }

    /// Tells that something was given back.
    pub(crate) fn released(&self, what: &str) {
        let at_ms = self.story.at_ms();
        self.story.tell(&Event::Released { at_ms, service: self.service, what: what.to_owned() });
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.house.counters(self.service).running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn left_ms(ctx: &Ctx) -> Option<f64> {
    ctx.remaining().map(|left| round(left.as_secs_f64() * 1_000.0))
}
