//! `sleep` of std, imported outside of the body.

use ctxprop::propagate;
use std::thread::{sleep, sleep as pause};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(1);

struct Timing {
    gap: Duration,
}

#[propagate]
async fn pauses(timing: Timing) {
    pause(Duration::from_millis(1));
    sleep(SHORT);
    sleep(timing.gap);
    sleep(timing.gap * 2);
    let gap = timing.gap;
    sleep(gap.min(SHORT));
}

fn main() {}
