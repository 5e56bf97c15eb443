//! Who records hops is told of each, is in it whenever it is polled, and of its end exactly once.
#![allow(clippy::expect_used, reason = "it is a test")]

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ctxprop::run::hop::HopSpan;
use ctxprop::wire::{Hop, HopRecorder, HopRecording, Request, Side, set_hop_recorder};
use ctxprop::{Background, Cause, Ctx};

thread_local! {
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn see(what: impl Into<String>) {
    SEEN.with_borrow_mut(|seen| seen.push(what.into()));
}

fn seen() -> Vec<String> {
    SEEN.take()
}

/// Tells its thread what it is told.
#[derive(Debug)]
struct Tells;

#[derive(Debug)]
struct Told {
    service: String,
}

impl HopRecorder for Tells {
    fn begin(&self, hop: &Hop<'_>) -> Option<Box<dyn HopRecording>> {
        assert_eq!((hop.side, hop.span), (Side::Client, hop.ctx.span()));
        let Request::Grpc { service, method, .. } = hop.request else { return None };
        see(format!("begin {service} {method}"));
        Some(Box::new(Told { service: service.to_owned() }))
    }
}

impl HopRecording for Told {
    fn enter(&self, run: &mut dyn FnMut()) {
        struct Exit;
        impl Drop for Exit {
            fn drop(&mut self) {
                see("exit");
            }
        }
        if self.service == "sloth" {
            return;
        }
        see("enter");
        let _exit = Exit;
        run();
        // Once more does nothing.
        run();
    }

    fn answered(&mut self, status: i64) {
        see(format!("status {status}"));
    }

    fn failed(&mut self) {
        see("failed");
    }

    fn ended(&mut self, cause: &Cause) {
        see(cause.as_str());
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        see("end");
    }
}

fn begin(ctx: &Ctx, service: &str) -> Option<HopSpan> {
    let request = Request::Grpc { service, method: "Go", host: None, port: None };
    HopSpan::of(|| Hop { side: Side::Client, request, ctx, span: ctx.span(), budget: None })
}

/// Says that it is dropped.
struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        see("dropped");
    }
}

#[test]
fn each_hop_is_told_of_from_its_begin_to_its_end() {
    let ctx = Ctx::background().child_span();
    assert!(begin(&ctx, "early").is_none(), "nobody listens");
    assert!(set_hop_recorder(&Tells));
    assert!(!set_hop_recorder(&Tells), "it is there");
    let cx = &mut Context::from_waker(Waker::noop());

    // polled, and dropped as it is ready
    let mut hop = begin(&ctx, "shop").expect("it is recorded");
    let held = Held;
    let mut polls = 0;
    {
        let mut future = pin!(hop.around(poll_fn(move |_| {
            let _ = &held;
            polls += 1;
            if polls == 1 { Poll::Pending } else { Poll::Ready(polls) }
        })));
        assert_eq!(future.as_mut().poll(cx), Poll::Pending);
        assert_eq!(future.as_mut().poll(cx), Poll::Ready(2));
    }
    hop.answered(3);
    hop.over(Some(0), &Cause::Shutdown);
    drop(hop);
    assert_eq!(
        seen(),
        [
            "begin shop Go",
            "enter",
            "exit",
            "enter",
            "dropped",
            "exit",
            "status 3",
            "status 0",
            "shutdown",
            "end"
        ]
    );

    // dropped before it is ready
    let mut hop = begin(&ctx, "shop").expect("it is recorded");
    let held = Held;
    drop(hop.around(async move {
        let _held = held;
        pending::<()>().await;
    }));
    hop.failed();
    drop(hop);
    assert_eq!(seen(), ["begin shop Go", "enter", "dropped", "exit", "failed", "end"]);

    // a panic
    let hop = begin(&ctx, "shop").expect("it is recorded");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let hop = hop;
        hop.in_scope(|| panic!("a bug, on purpose"))
    }));
    assert!(panicked.is_err());
    assert_eq!(seen(), ["begin shop Go", "enter", "exit", "end"]);

    // A recording that runs nothing keeps nobody from running.
    let hop = begin(&ctx, "sloth").expect("it is recorded");
    assert_eq!(hop.in_scope(|| 7), 7);
    drop(hop);
    assert_eq!(seen(), ["begin sloth Go", "end"]);

    // what is not of interest
    let request = Request::Http {
        method: "GET",
        route: None,
        scheme: None,
        host: None,
        port: None,
        path: "/",
    };
    let (side, span, budget) = (Side::Client, ctx.span(), None);
    assert!(HopSpan::of(|| Hop { side, request, ctx: &ctx, span, budget }).is_none());
}
