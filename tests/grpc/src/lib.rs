//! A gRPC service whose handlers each test writes: generated code, and nothing of ctxprop.

mod generated {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::missing_errors_doc,
        clippy::doc_markdown,
        reason = "generated"
    )]
    tonic::include_proto!("probe");
}

use std::fmt;
use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

pub use generated::probe_client::ProbeClient;
pub use generated::probe_server::{Probe, ProbeServer};
pub use generated::{Answer, Ask};

/// What the service answers.
impl Answer {
    /// With this text.
    pub fn said(said: impl Into<String>) -> Answer {
        Answer { said: said.into(), number: 0 }
    }

    /// With this number.
    pub fn number(number: u64) -> Answer {
        Answer { said: String::new(), number }
    }
}

/// A stream of answers.
pub type Answers = Pin<Box<dyn Stream<Item = Result<Answer, Status>> + Send>>;

type Reply<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;
type Handler<A, T> = Option<Box<dyn Fn(Request<A>) -> Reply<T> + Send + Sync>>;

/// The service: what is not given to it is unimplemented.
#[derive(Default)]
pub struct Script {
    unary: Handler<Ask, Answer>,
    count: Handler<Ask, Answers>,
    sum: Handler<Streaming<Ask>, Answer>,
    talk: Handler<Streaming<Ask>, Answers>,
}

macro_rules! handlers {
    ($($name:ident: $asks:ty => $answers:ty;)*) => {$(
        #[doc = concat!("Answers `", stringify!($name), "`.")]
        #[must_use]
        pub fn $name<F>(mut self, handler: impl Fn(Request<$asks>) -> F + Send + Sync + 'static) -> Self
        where
            F: Future<Output = Result<Response<$answers>, Status>> + Send + 'static,
        {
            self.$name = Some(Box::new(move |request| Box::pin(handler(request))));
            self
        }
    )*};
}

impl Script {
    handlers! {
        unary: Ask => Answer;
        count: Ask => Answers;
        sum: Streaming<Ask> => Answer;
        talk: Streaming<Ask> => Answers;
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

async fn run<A, T>(handler: &Handler<A, T>, request: Request<A>) -> Result<Response<T>, Status> {
    match handler {
        Some(handler) => handler(request).await,
        None => Err(Status::unimplemented("not in this script")),
    }
}

#[tonic::async_trait]
impl Probe for Script {
    type CountStream = Answers;
    type TalkStream = Answers;

    async fn unary(&self, request: Request<Ask>) -> Result<Response<Answer>, Status> {
        run(&self.unary, request).await
    }

    async fn count(&self, request: Request<Ask>) -> Result<Response<Answers>, Status> {
        run(&self.count, request).await
    }

    async fn sum(&self, request: Request<Streaming<Ask>>) -> Result<Response<Answer>, Status> {
        run(&self.sum, request).await
    }

    async fn talk(&self, request: Request<Streaming<Ask>>) -> Result<Response<Answers>, Status> {
        run(&self.talk, request).await
    }
}
