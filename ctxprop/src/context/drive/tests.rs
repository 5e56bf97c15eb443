//! Who sees to a deadline once the runtime that did is gone.

use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::{Background, Cause, Ctx};

fn runtimes() -> [tokio::runtime::Runtime; 2] {
    let [mut one, mut many] = [Builder::new_current_thread(), Builder::new_multi_thread()];
    [one.enable_time().build().unwrap(), many.enable_time().build().unwrap()]
}

// Fails where the deadline goes with the task that saw to it.
#[test]
fn rule_3_1_7_a_callback_runs_at_its_deadline_although_its_runtime_is_gone() {
    for runtime in runtimes() {
        let ctx = Ctx::background().with_timeout(Duration::from_millis(300));
        let (tell, told) = mpsc::channel();
        runtime.block_on(async { ctx.on_done(move |cause| tell.send(cause).unwrap()) });
        drop(runtime);
        let cause = told.recv_timeout(Duration::from_secs(60));
        assert_eq!(cause, Ok(Cause::DeadlineExceeded), "nobody sees to it");
    }
}

#[test]
fn a_token_is_cancelled_at_its_deadline_although_its_runtime_is_gone() {
    for runtime in runtimes() {
        let ctx = Ctx::background().with_timeout(Duration::from_millis(300));
        let token = runtime.block_on(async { ctx.cancellation_token() });
        drop(runtime);
        let waits = Builder::new_current_thread().enable_time().build().unwrap();
        let limit = Duration::from_secs(60);
        let told = waits.block_on(async { tokio::time::timeout(limit, token.cancelled()).await });
        assert!(told.is_ok(), "nobody sees to it");
    }
}
