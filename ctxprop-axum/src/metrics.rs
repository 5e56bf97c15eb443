//! What is counted of each request, with the crate `metrics`. Without the feature of that name all of it is nothing.
//!
//! The names are in a table of the crate's own docs.

#[cfg(feature = "metrics")]
mod counted {
    use std::time::Duration;

    use ctxprop::wire::{Group, HEADERS};
    use ctxprop::{Cause, Ctx};
    use http::HeaderMap;
    use metrics::{counter, gauge, histogram};

    use crate::policy::Granted;

    pub(crate) fn began(ctx: &Ctx, headers: &HeaderMap) {
        let mut budgets = HEADERS.iter().filter(|header| header.group() == Group::Budget);
        if budgets.any(|header| headers.contains_key(header.name())) {
            counter!("ctxprop_budgets_received_total").increment(1);
        }
        gauge!("ctxprop_live_requests").increment(1.0);
        live_tasks(ctx);
    }

    pub(crate) fn ended(ctx: &Ctx, left: Option<Duration>, deadline: Option<Granted>) {
        if let Some(whose) = deadline {
            counter!("ctxprop_cancelled_by_deadline_total", "deadline" => whose.as_str())
                .increment(1);
        }
        let cause = match ctx.cause() {
            None | Some(Cause::Finished) => "finished",
            Some(Cause::DeadlineExceeded) => "deadline",
            Some(Cause::Disconnected) => "disconnected",
            Some(Cause::Shutdown) => "shutdown",
            Some(Cause::Cancelled) => "cancelled",
            Some(_) => "custom",
        };
        counter!("ctxprop_requests_total", "cause" => cause).increment(1);
        if let Some(left) = left {
            histogram!("ctxprop_time_left_seconds").record(left);
        }
        gauge!("ctxprop_live_requests").decrement(1.0);
        live_tasks(ctx);
    }

    fn live_tasks(ctx: &Ctx) {
        // No gauge counts further than a float does.
        let tasks = u32::try_from(ctx.live_tasks()).unwrap_or(u32::MAX);
        gauge!("ctxprop_live_tasks").set(f64::from(tasks));
    }
}

#[cfg(feature = "metrics")]
pub(crate) use counted::{began, ended};

/// Whether anything is counted.
pub(crate) const ON: bool = cfg!(feature = "metrics");

#[cfg(not(feature = "metrics"))]
mod uncounted {
    use std::time::Duration;

    use ctxprop::Ctx;
    use http::HeaderMap;

    use crate::policy::Granted;

    pub(crate) fn began(_: &Ctx, _: &HeaderMap) {}

    pub(crate) fn ended(_: &Ctx, _: Option<Duration>, _: Option<Granted>) {}
}

#[cfg(not(feature = "metrics"))]
pub(crate) use uncounted::{began, ended};
