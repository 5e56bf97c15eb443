//! What is counted of each request or call, with the crate `metrics`, for whichever recorder the application has. Without
//! the feature of that name all of it is nothing.
//!
//! | name | is | labels |
//! | --- | --- | --- |
//! | `ctxprop_budgets_received_total` | requests that came with a budget | |
//! | `ctxprop_cancelled_by_deadline_total` | requests that a deadline cut short | `deadline`: `caller` or `server`, whose it was |
//! | `ctxprop_requests_total` | requests that are over | `cause`: `finished`, `deadline`, `disconnected`, `shutdown`, `cancelled` or `custom` |
//! | `ctxprop_time_left_seconds` | a histogram of what was left of the budget at the end of a request that had one | |
//! | `ctxprop_live_requests` | requests that are not over, as a gauge | |
//! | `ctxprop_live_tasks` | tasks of the root, as a gauge: how many there were when the last request came or ended | |

use std::time::Duration;

use ctxprop::Ctx;
use http::HeaderMap;

use crate::policy::Granted;

/// Whether anything is counted.
pub const ON: bool = cfg!(feature = "metrics");

/// A request with these headers has got its context.
#[inline]
pub fn began(ctx: &Ctx, headers: &HeaderMap) {
    #[cfg(feature = "metrics")]
    counted::began(ctx, headers);
    #[cfg(not(feature = "metrics"))]
    let _ = (ctx, headers);
}

/// A request is over, and its context has ended. So much was `left` of its budget; `deadline` is whose deadline cut it short,
/// where one did.
#[inline]
pub fn ended(ctx: &Ctx, left: Option<Duration>, deadline: Option<Granted>) {
    #[cfg(feature = "metrics")]
    counted::ended(ctx, left, deadline);
    #[cfg(not(feature = "metrics"))]
    let _ = (ctx, left, deadline);
}

#[cfg(feature = "metrics")]
mod counted {
    use std::time::Duration;

    use ctxprop::wire::{Group, HEADERS};
    use ctxprop::{Cause, Ctx};
    use http::HeaderMap;
    use metrics::{counter, gauge, histogram};

    use crate::policy::Granted;

    pub(super) fn began(ctx: &Ctx, headers: &HeaderMap) {
        let mut budgets = HEADERS.iter().filter(|header| header.group() == Group::Budget);
        if budgets.any(|header| headers.contains_key(header.name())) {
            counter!("ctxprop_budgets_received_total").increment(1);
        }
        gauge!("ctxprop_live_requests").increment(1.0);
        live_tasks(ctx);
    }

    pub(super) fn ended(ctx: &Ctx, left: Option<Duration>, deadline: Option<Granted>) {
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
