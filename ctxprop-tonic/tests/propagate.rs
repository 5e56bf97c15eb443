//! `#[propagate]` on the `impl` of a generated trait, above `#[tonic::async_trait]`: its methods run under the context of the
//! call.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::time::Duration;

use common::{Raw, client, incoming, serve};
use ctxprop::{Background, Ctx, propagate};
use ctxprop_grpc_probe::{Answer, Answers, Ask, Probe, ProbeClient, ProbeServer, Script};
use ctxprop_tonic::{CtxChannel, CtxLayer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status, Streaming};

/// What asks another service, and tells how its calls ended.
struct Desk {
    warehouse: ProbeClient<CtxChannel>,
    ends: mpsc::UnboundedSender<String>,
}

#[propagate]
async fn looked_up(asked: Ask) -> Result<Ask, Status> {
    let traced = Ctx::current().span().trace_id().to_string();
    Ok(Ask { what: traced, ..asked })
}

#[propagate]
#[tonic::async_trait]
impl Probe for Desk {
    type CountStream = Answers;
    type TalkStream = Answers;

    async fn unary(&self, request: Request<Ask>) -> Result<Response<Answer>, Status> {
        let ask = looked_up(request.into_inner()).await?;
        self.warehouse.clone().unary(ask).await
    }

    #[propagate(budget = "50%", span)]
    async fn sum(&self, _: Request<Streaming<Ask>>) -> Result<Response<Answer>, Status> {
        let ctx = Ctx::current();
        let waited: Result<(), Status> =
            async { std::future::pending::<Result<(), Status>>().await }.await;
        let cleanup = ctx.shield(Duration::from_secs(1), async {
            let code = waited.as_ref().expect_err("the end").code();
            self.ends.send(format!("{code:?}, cleaned up")).expect("the test listens");
        });
        cleanup.await.expect("within its limit");
        waited?;
        Ok(Response::new(Answer::number(0)))
    }

    #[propagate(skip)]
    async fn count(&self, _: Request<Ask>) -> Result<Response<Answers>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn talk(&self, _: Request<Streaming<Ask>>) -> Result<Response<Answers>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_runs_under_the_context_of_its_call() {
    let warehouse = Script::default().unary(|request| async move {
        let ctx = Ctx::current();
        assert!(ctx.remaining() <= Some(Duration::from_secs(2)), "what remains came along");
        assert_eq!(request.into_inner().what, ctx.span().trace_id().to_string());
        Ok(Response::new(Answer::said(ctx.span().trace_id().to_string())))
    });
    let warehouse = client(serve(CtxLayer::mesh(), warehouse).await);
    let (ends, mut ended) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let desk = ProbeServer::new(Desk { warehouse, ends });
    let server = Server::builder().layer(CtxLayer::mesh()).add_service(desk);
    tokio::spawn(server.serve_with_incoming(incoming(listener)));

    let ctx = Ctx::background().child_span().with_timeout(Duration::from_secs(2));
    let answer = ctx.scope(client(address).unary(Ask::default())).await.expect("an answer");
    assert_eq!(answer.into_inner().said, ctx.span().trace_id().to_string());

    // Half of what the caller grants: the handler unwinds, and its cleanup runs.
    let mut raw = Raw::connect(address).await;
    let end = raw.call("Sum", &[("grpc-timeout", "2S")]).await;
    assert_eq!(end.code, Some(Code::DeadlineExceeded), "{end:?}");
    assert_eq!(ended.recv().await.as_deref(), Some("DeadlineExceeded, cleaned up"));
}
