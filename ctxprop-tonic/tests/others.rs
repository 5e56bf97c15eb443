//! The layer among those of others: health, reflection, interceptors, routers of axum's, another layer around it.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Raw, client, endpoint, incoming, plain};
use ctxprop::{Background, Ctx};
use ctxprop_grpc_probe::{Answer, Ask, Probe, ProbeServer, Script};
use ctxprop_tonic::CtxLayer;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tower::Layer;

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Tells the context of the call.
fn tells() -> Script {
    Script::default().unary(|_| async {
        let ctx = Ctx::current();
        let left = ctx.remaining().map(|left| left.as_millis());
        let tenant = ctx.baggage_map().get("tenant").map(str::to_owned);
        Ok(Response::new(Answer::said(format!("{left:?} {tenant:?}"))))
    })
}

#[tokio::test(start_paused = true)]
async fn health_reflection_and_interceptors_work_as_without_it() {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ProbeServer<Script>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("a descriptor");
    let guarded = ProbeServer::with_interceptor(tells(), |request: Request<()>| {
        let known = request.metadata().get("authorization").is_some();
        if known { Ok(request) } else { Err(Status::unauthenticated("who is it?")) }
    });
    let (listener, address) = listen().await;
    let server = Server::builder()
        .layer(CtxLayer::mesh().default_budget(Duration::from_secs(9)))
        .add_service(health)
        .add_service(reflection)
        .add_service(guarded);
    drop(tokio::spawn(server.serve_with_incoming(incoming(listener))));
    let channel = endpoint(address).connect_lazy();

    let name = <ProbeServer<Script> as NamedService>::NAME;
    let asked = HealthCheckRequest { service: name.to_owned() };
    let mut health = HealthClient::new(channel.clone());
    let answer = health.check(asked.clone()).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    let mut watching = health.watch(asked).await.unwrap().into_inner();
    let first = watching.message().await.unwrap().expect("the first");
    assert_eq!(first.status(), ServingStatus::Serving);
    reporter.set_not_serving::<ProbeServer<Script>>().await;
    let next = watching.message().await.unwrap().expect("the next");
    assert_eq!(next.status(), ServingStatus::NotServing);
    let unknown = HealthCheckRequest { service: "unknown".to_owned() };
    assert_eq!(health.check(unknown).await.unwrap_err().code(), Code::NotFound);

    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel.clone());
    let asks = futures_util::stream::iter([request]);
    let mut answers = reflection.server_reflection_info(asks).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().expect("one").message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
    assert!(list.service.iter().any(|service| service.name == "grpc.health.v1.Health"));
    assert_eq!(answers.message().await.unwrap(), None);

    let status = plain(address).unary(Ask::default()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "who is it?"));
    let mut request = Request::new(Ask::default());
    request.metadata_mut().insert("authorization", "Bearer token".parse().unwrap());
    let said = plain(address).unary(request).await.unwrap().into_inner().said;
    assert_eq!(said, "Some(9000) None");
    // A method that there is not.
    let end = Raw::connect(address).await.call("Unknown", &[("authorization", "x")]).await;
    assert_eq!(end.code, Some(Code::Unimplemented), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn one_service_may_have_a_layer_of_its_own() {
    let short = CtxLayer::mesh().max_budget(Duration::from_secs(1));
    let (listener, address) = listen().await;
    let server = Server::builder().add_service(short.layer(ProbeServer::new(tells())));
    drop(tokio::spawn(server.serve_with_incoming(incoming(listener))));
    let said = plain(address).unary(Ask::default()).await.unwrap().into_inner().said;
    assert_eq!(said, "Some(1000) None");
}

#[tokio::test(start_paused = true)]
async fn under_another_layer_budgets_only_shrink_and_trust_only_falls() {
    // gRPC in a router of axum's, whose own layer is around it.
    let inner = CtxLayer::edge().default_budget(Duration::from_secs(5));
    let app = Routes::new(ProbeServer::new(tells())).into_axum_router().layer(inner);
    let outer = ctxprop_axum::CtxLayer::mesh().max_budget(Duration::from_secs(3));
    let (listener, address) = listen().await;
    drop(tokio::spawn(async move { axum::serve(listener, app.layer(outer)).await }));
    for (timeout, left) in [("9S", 3000), ("4S", 3000), ("2S", 2000)] {
        let mut request = Request::new(Ask::default());
        request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
        request.metadata_mut().insert("baggage", "tenant=acme".parse().unwrap());
        let said = plain(address).unary(request).await.unwrap().into_inner().said;
        assert_eq!(said, format!("Some({left}) None"));
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_router_of_axums_no_other_timer_is_around_it() {
    let script = Script::default().unary(|_| std::future::pending());
    let app = Routes::new(ProbeServer::new(script)).into_axum_router().layer(CtxLayer::mesh());
    let (listener, address) = listen().await;
    drop(tokio::spawn(async move { axum::serve(listener, app).await }));
    let end = Raw::connect(address).await.call("Unary", &[("grpc-timeout", "200m")]).await;
    assert_eq!(end.code, Some(Code::DeadlineExceeded), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_service_inside_is_part_of_the_budget() {
    // One call at a time.
    let layer =
        tower::ServiceBuilder::new().layer(CtxLayer::mesh()).concurrency_limit(1).into_inner();
    let script = Script::default().unary(|_| std::future::pending());
    let (listener, address) = listen().await;
    let server = Server::builder().layer(layer).add_service(ProbeServer::new(script));
    drop(tokio::spawn(server.serve_with_incoming(incoming(listener))));
    let mut raw = Raw::connect(address).await;
    let mut first = raw.begin("Unary", &[]).await;
    first.send(true);
    let end = raw.call("Unary", &[("grpc-timeout", "200m")]).await;
    assert_eq!(end.code, Some(Code::DeadlineExceeded), "{end:?}");
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn a_channel_takes_any_client_service() {
    // The service itself, with no network in between: it goes where a call's URI says.
    let service = CtxLayer::mesh().layer(ProbeServer::new(tells()));
    let channel = ctxprop_tonic::CtxChannel::new(service);
    let origin = http::Uri::from_static("http://warehouse");
    let mut client = ctxprop_grpc_probe::ProbeClient::with_origin(channel, origin);
    let ctx = Ctx::background().with_timeout(Duration::from_secs(2));
    let said = ctx.scope(client.unary(Ask::default())).await.unwrap().into_inner().said;
    assert_eq!(said, "Some(2000) None");
}

/// Nothing of it stands in the way of what tonic asks of services.
#[test]
fn it_is_what_tonic_asks_for() {
    fn is_a_service<S>(_: &S)
    where
        S: tower::Service<http::Request<Body>, Error = std::convert::Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
    {
        assert_eq!(S::NAME, "probe.Probe");
    }
    is_a_service(&CtxLayer::edge().layer(ProbeServer::new(Script::default())));
    fn is_a_client<P: Probe, C: Send + Sync + Clone + std::fmt::Debug>(_: P, _: C) {}
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    is_a_client(Script::default(), client(SocketAddr::from(([127, 0, 0, 1], 9))));
}
