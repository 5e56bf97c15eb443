//! A call of gRPC is told by its service and its method.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use ctxprop::Cancelled;
use ctxprop::Ctx;
use ctxprop_tonic::CtxLayer;
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test]
async fn a_call_is_told_by_its_path() {
    assert!(ctxprop_live::enable());
    let service = service_fn(|request: Request<tonic::body::Body>| async move {
        let ctx = request.extensions().get::<Ctx>().cloned();
        drop(request);
        // What it waits for: its end.
        let cause = match ctx {
            Some(ctx) => ctx.done().await,
            None => return Err(Cancelled::new(ctxprop::Cause::Cancelled)),
        };
        drop(cause);
        Ok::<_, Cancelled>(Response::new(tonic::body::Body::empty()))
    });
    let call = CtxLayer::mesh().layer(service);
    let request = Request::post("/shop.Stock/Reserve").body(tonic::body::Body::empty()).unwrap();
    let call = tokio::spawn(call.oneshot(request));
    tokio::task::yield_now().await;
    let live = ctxprop_live::snapshot().live;
    assert_eq!(live[0].name, "/shop.Stock/Reserve", "{live:#?}");
    call.abort();
    drop(call.await);
    assert!(
        ctxprop_live::snapshot()
            .live
            .iter()
            .all(|work| work.name != "/shop.Stock/Reserve" || work.end.is_some())
    );
}
