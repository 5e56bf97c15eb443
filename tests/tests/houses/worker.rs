//! Mail that is queued by a request and sent by workers, which a shutdown ends.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use ctxprop::{Background, Cause, Ctx};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::task::JoinHandle;

use crate::{Tells, serve};
use mail::{Ack, Queue, app, work};

#[ctxprop::propagate]
mod mail {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::extract::State;
    use axum::http::StatusCode;
    use axum::response::{IntoResponse, Response};
    use axum::routing::post;
    use axum::{Json, Router};
    use ctxprop::wire::Formats;
    use ctxprop::{Baggage, BaggageError, Cancelled, Ctx};
    use ctxprop_axum::CtxLayer;
    use ctxprop_reqwest::Client;
    use serde::{Deserialize, Serialize};
    use tokio::sync::{Mutex, mpsc, oneshot};
    use tokio::task::JoinSet;

    #[derive(Debug, Deserialize, Serialize)]
    pub(super) struct Mail {
        to: String,
    }

    #[derive(Baggage)]
    struct Sender {
        #[baggage(key = "user.name", max_len = 64)]
        name: String,
    }

    pub(super) struct Job {
        headers: Vec<(String, String)>,
        mail: Mail,
        ack: oneshot::Sender<Ack>,
    }

    #[derive(Debug, PartialEq)]
    pub(super) enum Ack {
        Done,
        Retry,
    }

    #[derive(Debug, thiserror::Error)]
    pub(super) enum JobError {
        #[error("the relay: {0}")]
        Relay(#[from] ctxprop_reqwest::Error),
        #[error("the relay's answer: {0}")]
        Answer(#[from] reqwest::Error),
        #[error(transparent)]
        Sender(#[from] BaggageError),
        #[error(transparent)]
        Cancelled(#[from] Cancelled),
        #[error("the queue is closed")]
        Closed,
    }

    impl IntoResponse for JobError {
        fn into_response(self) -> Response {
            let status = match &self {
                JobError::Relay(error) => error.http_status(),
                JobError::Cancelled(cancelled) => cancelled.http_status(),
                JobError::Answer(_) | JobError::Sender(_) => StatusCode::BAD_GATEWAY,
                JobError::Closed => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, self.to_string()).into_response()
        }
    }

    #[derive(Clone)]
    pub(super) struct Queue {
        pub(super) jobs: mpsc::Sender<Job>,
        pub(super) acks: mpsc::UnboundedSender<Ack>,
    }

    async fn enqueue(
        ctx: Ctx,
        State(queue): State<Queue>,
        Json(mail): Json<Mail>,
    ) -> Result<StatusCode, JobError> {
        let mut headers = Vec::new();
        ctx.inject(&mut headers, &Formats::queued())?;
        let (ack, acked) = oneshot::channel();
        queue.jobs.send(Job { headers, mail, ack }).await.map_err(|_| JobError::Closed)?;
        ctx.detach("the mail is sent after the answer").spawn(async move {
            if let Ok(ack) = acked.await {
                let _ = queue.acks.send(ack);
            }
        });
        Ok(StatusCode::ACCEPTED)
    }

    struct Worker {
        number: usize,
        relay: String,
        client: Client,
        jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
    }

    impl Worker {
        async fn run(self, ctx: Ctx) {
            loop {
                let job = tokio::select! {
                    biased;
                    _ = ctx.done() => break,
                    job = Self::next(&self.jobs) => job,
                };
                let Some(job) = job else { break };
                let (job_ctx, _canceller) =
                    ctx.with_incoming(Formats::queued().extract(&job.headers));
                job_ctx.scope(self.handle(job)).await;
            }
        }

        async fn next(jobs: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
            jobs.lock().await.recv().await
        }

        async fn handle(&self, Job { mail, ack, .. }: Job) {
            let outcome = match self.deliver(&mail).await {
                Ok(()) => Ack::Done,
                Err(error) => {
                    tracing::warn!(%error, worker = self.number, "not sent");
                    Ack::Retry
                }
            };
            let acked = async move {
                tokio::task::yield_now().await;
                ack.send(outcome)
            };
            let _ = Ctx::current().shield(Duration::from_secs(5), acked).await;
        }

        #[propagate(budget = "5s", span)]
        async fn deliver(&self, mail: &Mail) -> Result<(), JobError> {
            let body = serde_json::json!({ "to": mail.to, "text": render(mail).await? });
            let answer = self.client.post(&self.relay).json(&body).send().await?;
            answer.error_for_status()?;
            Ok(())
        }
    }

    async fn render(mail: &Mail) -> Result<String, BaggageError> {
        let sender: Sender = Ctx::current().baggage()?;
        Ok(format!("Dear {}, yours, {}", mail.to, sender.name))
    }

    /// Runs the workers until their context ends, and waits for them.
    pub(super) async fn work(ctx: Ctx, count: usize, relay: String, jobs: mpsc::Receiver<Job>) {
        let jobs = Arc::new(Mutex::new(jobs));
        let client = Client::new();
        let mut workers = JoinSet::new();
        for number in 0..count {
            let (relay, client, jobs) = (relay.clone(), client.clone(), Arc::clone(&jobs));
            let worker = Worker { number, relay, client, jobs };
            workers.spawn(worker.run(ctx.clone()));
        }
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a worker panicked");
            }
        }
    }

    pub(super) fn app(queue: Queue, root: &Ctx) -> Router {
        let layer = CtxLayer::edge().under(root).accept_trace().accept_baggage(["user.name"]);
        Router::new().route("/mails", post(enqueue)).with_state(queue).layer(layer)
    }
}

/// What the relay that takes the mail sees.
#[derive(Debug)]
enum Saw {
    Mail(HeaderMap, String),
    Gone,
}

/// Takes as many as there are permits; any other waits.
fn relay(open: Arc<Semaphore>, tell: UnboundedSender<Saw>) -> Router {
    let take = async move |headers: HeaderMap, mail: String| {
        let _tells = Tells(tell.clone(), || Saw::Gone);
        tell.send(Saw::Mail(headers, mail)).unwrap();
        open.acquire().await.unwrap().forget();
    };
    Router::new().route("/", post(take))
}

struct House {
    root: Ctx,
    url: String,
    open: Arc<Semaphore>,
    saw: UnboundedReceiver<Saw>,
    acks: UnboundedReceiver<Ack>,
    workers: JoinHandle<()>,
}

async fn house(root: Ctx) -> House {
    let (tell, saw) = unbounded_channel();
    let (acked, acks) = unbounded_channel();
    let (jobs, queue) = channel(8);
    let open = Arc::new(Semaphore::new(0));
    let relay = serve(relay(Arc::clone(&open), tell)).await;
    let url = serve(app(Queue { jobs, acks: acked }, &root)).await;
    let workers = tokio::spawn(work(root.clone(), 2, relay, queue));
    House { root, url, open, saw, acks, workers }
}

impl House {
    /// The client is gone after this.
    async fn post(&self, timeout: &str) -> u16 {
        let client = reqwest::Client::new();
        let request =
            client.post(format!("{}/mails", self.url)).json(&serde_json::json!({ "to": "Bob" }));
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let request =
            request.header("traceparent", trace).header("baggage", "user.name=Ada,role=admin");
        request.header("x-timeout-ms", timeout).send().await.unwrap().status().as_u16()
    }

    async fn mail(&mut self) -> (HeaderMap, String) {
        match self.saw.recv().await {
            Some(Saw::Mail(headers, mail)) => (headers, mail),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_mail_goes_out_under_the_context_it_was_queued_with() {
    let mut house = house(Ctx::background()).await;
    assert_eq!(house.post("60000").await, 202);
    let (headers, mail) = house.mail().await;
    assert_eq!(mail, r#"{"text":"Dear Bob, yours, Ada","to":"Bob"}"#);
    assert_eq!(headers["baggage"], "user.name=Ada");
    assert!(
        headers["traceparent"]
            .to_str()
            .unwrap()
            .starts_with("00-0af7651916cd43dd8448eb211c80319c-")
    );
    let left: u64 = headers["x-timeout-ms"].to_str().unwrap().parse().unwrap();
    assert!(left <= 5_000, "the worker's own budget");
    house.open.add_permits(1);
    assert_eq!(house.acks.recv().await, Some(Ack::Done));
}

#[tokio::test]
async fn a_mail_that_passes_its_deadline_is_to_be_sent_again() {
    let mut house = house(Ctx::background()).await;
    assert_eq!(house.post("4000").await, 202);
    house.mail().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(4)).await;
    assert_eq!(house.acks.recv().await, Some(Ack::Retry));
    assert!(matches!(house.saw.recv().await, Some(Saw::Gone)));
    tokio::time::resume();
    assert_eq!(house.post("60000").await, 202, "and the worker takes the next");
    house.mail().await;
}

#[tokio::test]
async fn a_shutdown_ends_the_workers_and_each_mail_is_acked() {
    let (root, canceller) = Ctx::background().with_cancel();
    let mut house = house(root).await;
    assert_eq!((house.post("60000").await, house.post("60000").await), (202, 202));
    house.mail().await;
    house.mail().await;
    canceller.cancel_with(Cause::Shutdown);
    house.workers.await.unwrap();
    house.root.idle().await;
    assert_eq!(
        (house.acks.recv().await, house.acks.recv().await),
        (Some(Ack::Retry), Some(Ack::Retry))
    );
    assert!(matches!(house.saw.recv().await, Some(Saw::Gone)));
}
