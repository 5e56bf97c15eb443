//! A gRPC service: its trait is generated, and so in no file of the workspace.

use tonic::{Request, Response, Status};

use crate::Shared;

pub mod pb {
    include!("greeter.pb");
}

pub struct Desk {
    pub store: Shared,
}

#[tonic::async_trait]
impl pb::Greeter for Desk {
    async fn greet(&self, request: Request<u64>) -> Result<Response<String>, Status> {
        match self.store.load(request.into_inner()).await {
            Some(name) => Ok(Response::new(format!("hello, {name}"))),
            None => Err(Status::not_found("nobody of that name")),
        }
    }
}
