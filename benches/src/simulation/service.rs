//! A service: it waits for a worker, works, calls the next level, and works again. The handlers are those that a user of
//! each style would write.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::routing::get;
use ctxprop::wire::Formats;
use ctxprop::{Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use futures::future::join_all;
use http::{Request, Response, StatusCode};
use tokio::time::timeout;
use tower_service::Service as _;

use super::world::{Job, Working};
use super::{Mode, Parameters};

/// The service of a level, in the style of the mode.
pub(super) fn router(level: u32, root: &Ctx, parameters: &Parameters) -> Router {
    match parameters.mode {
        Mode::Static => Router::new().route("/", get(plain)).with_state(level),
        Mode::Budgets | Mode::Cancellation => {
            let layer = CtxLayer::mesh().under(root).default_budget(parameters.patience);
            Router::new().route("/", get(bounded)).with_state(level).layer(layer)
        }
    }
}

/// A worker's time, once there is a worker.
async fn work(job: &Job, level: u32, time: Duration) {
    let Some(workers) = job.world.workers.get(level as usize) else { return };
    // It fails where it is closed, which nobody does.
    let Ok(_worker) = workers.acquire().await else { return };
    let _working = Working::on(job);
    tokio::time::sleep(time).await;
}

/// As most are today.
async fn plain(State(level): State<u32>, Extension(job): Extension<Arc<Job>>) -> StatusCode {
    let time = job.hop() / 2;
    work(&job, level, time).await;
    let answers = below(&job, level).map(|level| {
        let request = request(&job);
        timeout(job.world.parameters.timeout, forgotten(&job, level, request))
    });
    let answered = join_all(answers).await.into_iter().all(|answer| answer == Ok(StatusCode::OK));
    if !answered {
        return StatusCode::BAD_GATEWAY;
    }
    work(&job, level, time).await;
    StatusCode::OK
}

#[propagate]
async fn bounded(
    ctx: Ctx,
    State(level): State<u32>,
    Extension(job): Extension<Arc<Job>>,
) -> Result<StatusCode, Cancelled> {
    let time = job.hop() / 2;
    work(&job, level, time).await;
    let answers = below(&job, level).map(|level| call(&job, level, &ctx));
    let answered = join_all(answers).await.into_iter().all(|answer| answer == Ok(StatusCode::OK));
    if !answered {
        ctx.check()?;
        return Ok(StatusCode::BAD_GATEWAY);
    }
    work(&job, level, time).await;
    Ok(StatusCode::OK)
}

/// The levels of the calls that a service makes.
fn below(job: &Job, level: u32) -> impl Iterator<Item = u32> + use<> {
    let Parameters { depth, fan_out, .. } = job.world.parameters;
    (0..if level < depth { fan_out } else { 0 }).map(move |_| level + 1)
}

/// One hop of a client that has a context: what it tells is read by the layer of who is called.
///
/// # Errors
///
/// The context has ended.
pub(super) async fn call(job: &Arc<Job>, level: u32, ctx: &Ctx) -> Result<StatusCode, Cancelled> {
    let mut request = request(job);
    ctx.child_span().inject(request.headers_mut(), &Formats::new())?;
    match job.world.parameters.mode {
        // The connection closes, and who was called hears of it.
        Mode::Cancellation => ctx.run(answer(job, level, request)).await,
        Mode::Static | Mode::Budgets => ctx.run(forgotten(job, level, request)).await,
    }
}

fn request(job: &Arc<Job>) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(Arc::clone(job));
    request
}

async fn answer(job: &Job, level: u32, request: Request<Body>) -> StatusCode {
    let Some(service) = job.world.service(level) else { return StatusCode::NOT_FOUND };
    // A router is always ready, and never fails.
    let answer = service.clone().call(request).await;
    let answer: Result<Response<_>, std::convert::Infallible> = answer;
    answer.map_or(StatusCode::INTERNAL_SERVER_ERROR, |answer| answer.status())
}

/// The same of a service that does not notice when its caller leaves.
pub(super) async fn forgotten(job: &Arc<Job>, level: u32, request: Request<Body>) -> StatusCode {
    let job = Arc::clone(job);
    let called = tokio::spawn(async move { answer(&job, level, request).await });
    called.await.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The call of a user who has no context but a timeout of their own.
pub(super) async fn plain_call(job: &Arc<Job>) -> StatusCode {
    forgotten(job, 0, request(job)).await
}
