//! `detach_until_shutdown`: what outlives its request and ends with the server (design, 3.3).

use ctxprop::wire::Incoming;
use ctxprop::{Canceller, Cause, Ctx, SpanContext};
use http::HeaderMap;
use tokio::time::{Instant, advance};

use crate::support::{root, secs};

fn request(server: &Ctx) -> (Ctx, Canceller) {
    let mut headers = HeaderMap::new();
    headers.insert("x-timeout-ms", "5000".parse().unwrap());
    headers.insert("baggage", "tenant=a".parse().unwrap());
    server.with_incoming(Incoming::from_headers(&headers))
}

#[test]
fn a_session_ends_with_the_server_and_not_with_its_request() {
    let (server, shutdown) = root().with_cancel();
    let (ctx, finish) = request(&server.with_value(7_u8));
    for above in [ctx.clone(), ctx.with_timeout(secs(1)), ctx.with_cancel().0.child_span()] {
        let session = above.detach_until_shutdown("a test");
        assert_eq!(session.deadline(), None);
        assert_eq!(session.value::<u8>(), Some(&7));
        assert_eq!(session.baggage_map().get("tenant"), Some("a"));
        assert_eq!(session.span(), above.span());
    }
    let session = ctx.detach_until_shutdown("a test");
    let task = session.with_cancel().0;
    finish.cancel_with(Cause::Finished);
    assert!(!session.is_done() && !task.is_done());
    shutdown.cancel_with(Cause::Shutdown);
    assert_eq!(session.cause(), Some(Cause::Shutdown));
    assert_eq!(task.cause(), Some(Cause::Shutdown));
    assert!(request(&server).0.detach_until_shutdown("a test").is_done(), "born ended");
}

#[tokio::test(start_paused = true)]
async fn a_session_lasts_no_longer_than_the_server_may() {
    let at = Instant::now() + secs(60);
    let server = root().with_deadline(at);
    let (ctx, _finish) = request(&server.with_cancel().0);
    let session = ctx.detach_until_shutdown("a test");
    assert_eq!(session.deadline(), Some(at), "of the outermost that can end");
    advance(secs(60)).await;
    assert_eq!(session.cause(), Some(Cause::DeadlineExceeded));
}

#[test]
fn where_nothing_but_requests_can_end_a_session_is_detached() {
    let (outer, finish_outer) = request(&root().child_span().with_span(SpanContext::root()));
    let (inner, finish) = request(&outer.with_timeout(secs(1)));
    let session = inner.with_cancel().0.detach_until_shutdown("a test");
    finish.cancel();
    finish_outer.cancel();
    assert!(!session.is_done() && session.deadline().is_none());
}

#[test]
fn a_session_finds_its_server_through_what_was_detached() {
    let (server, shutdown) = root().with_cancel();
    let (ctx, _finish) = request(&server);
    let session = ctx.detach("a test").with_timeout(secs(1)).detach_until_shutdown("a test");
    assert_eq!(session.deadline(), None);
    assert!(format!("{session:?}").contains("detached \"a test\""));
    assert_eq!(server.live_children(), 1, "the request: a session cannot end by itself");
    let counted = session.with_cancel();
    assert_eq!(server.live_children(), 2);
    shutdown.cancel();
    assert!(session.is_done() && counted.1.is_cancelled());
    drop(counted);
    assert_eq!(server.live_children(), 1);
}
