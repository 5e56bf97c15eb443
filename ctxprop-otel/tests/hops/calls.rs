//! Calls of gRPC, however they end: the same spans by all ways.

use std::time::Duration;

use ctxprop::wire::Formats;
use ctxprop::{Background, Ctx};
use ctxprop_grpc_probe::{Ask, ProbeClient};
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status};

use super::house::House;
use super::row::same_by_all_ways;

fn ask(what: &str) -> Ask {
    Ask { what: what.to_owned(), number: 0 }
}

#[tokio::test]
async fn what_a_service_answers() {
    let house = House::open(Formats::new()).await;
    for (what, code, errors) in [
        ("find", Code::Ok, [false, false]),
        ("fail", Code::NotFound, [true, false]),
        ("break", Code::Internal, [true, true]),
    ] {
        let rows = same_by_all_ways(what, 2, || async {
            let ctx = Ctx::background().child_span();
            let said = ctx.scope(house.client.clone().unary(ask(what))).await;
            assert_eq!(said.map_or_else(|status| status.code(), |_| Code::Ok), code);
            ctx
        });
        let [client, server] = &rows.await[..] else { panic!("two") };
        assert_eq!([client, server].map(|row| row.is_error()), errors);
        assert_eq!(
            (client.parent(), server.parent()),
            ("the context's", "Client probe.Probe/Unary")
        );
        client.is("server.address", "127.0.0.1");
        server.is("rpc.method", "probe.Probe/Unary");
        server.is("ctxprop.budget_ms", "60");
    }
}

#[tokio::test]
async fn what_does_not_come_to_its_end() {
    let house = House::open(Formats::new()).await;
    let (client, began) = (house.client, tokio::sync::Mutex::new(house.began));

    let rows = same_by_all_ways("a caller that goes", 2, || async {
        let ctx = Ctx::background().child_span();
        let (mut client, ctx_of_call) = (client.clone(), ctx.clone());
        let waiting =
            tokio::spawn(
                async move { ctx_of_call.scope(client.unary(ask("wait"))).await.map(drop) },
            );
        began.lock().await.recv().await.unwrap();
        waiting.abort();
        ctx
    });
    rows.await[1].is("ctxprop.cause", "disconnected");

    let rows = same_by_all_ways("work that is taken back", 2, || async {
        let ctx = Ctx::background().child_span();
        let (cancelled, canceller) = ctx.with_cancel();
        let mut client = client.clone();
        let waiting = cancelled.scope(client.unary(ask("wait")));
        let (status, ()) = tokio::join!(waiting, async {
            began.lock().await.recv().await.unwrap();
            canceller.cancel();
        });
        assert_eq!(status.unwrap_err().code(), Code::Cancelled);
        ctx
    });
    let rows = rows.await;
    rows[0].is("rpc.response.status_code", "CANCELLED");
    assert!(!rows.iter().any(|row| row.is_error()), "{rows:#?}");

    let rows = same_by_all_ways("a bug", 2, || async {
        let ctx = Ctx::background().child_span();
        ctx.scope(client.clone().unary(ask("panic"))).await.unwrap_err();
        ctx
    });
    rows.await[1].is("ctxprop.cause", "finished");

    let rows = same_by_all_ways("a budget of nothing", 1, || async {
        let endpoint = Endpoint::from_shared(format!("http://{}", house.address)).unwrap();
        let mut request = Request::new(ask("find"));
        request.metadata_mut().insert("grpc-timeout", "0n".parse().unwrap());
        let refused: Result<_, Status> =
            ProbeClient::new(endpoint.connect_lazy()).unary(request).await;
        refused.unwrap_err();
        Ctx::background()
    });
    rows.await[0].is("ctxprop.cause", "deadline_exceeded");
}

#[tokio::test]
async fn a_deadline() {
    let house = House::open(Formats::new()).await;
    let (client, began) = (house.client, tokio::sync::Mutex::new(house.began));
    // At the same moment for both ends: the clock goes on only where nothing else does.
    tokio::time::pause();
    let rows = same_by_all_ways("a deadline", 2, || async {
        let ctx = Ctx::background().child_span();
        let late = ctx.with_timeout(Duration::from_millis(50));
        let status = late.scope(client.clone().unary(ask("wait"))).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        began.lock().await.recv().await.unwrap();
        ctx
    });
    let rows = rows.await;
    assert!(rows.iter().all(|row| row.is_error()), "{rows:#?}");
    rows[1].is("ctxprop.cause", "deadline_exceeded");
}
