//! A real service with the page mounted, and who asks it.

#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use ctxprop_axum::CtxLayer;
use ctxprop_live::View;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Long enough for a machine that does much else. What is waited for is an event, and comes long before.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
    server: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Service {
    pub(crate) async fn start(app: Router) -> Service {
        Service::start_with(app, View::new()).await
    }

    pub(crate) async fn start_with(app: Router, view: View) -> Service {
        assert!(ctxprop_live::enable());
        let layer = CtxLayer::mesh().default_budget(Duration::from_secs(7_200));
        let app = app.layer(layer).merge(view.router());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            drop(ctxprop_axum::serve(listener, app).await);
        });
        Service { address, client: reqwest::Client::new(), server }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks, and waits for the answer in a task: aborted, the client is gone.
    pub(crate) fn get(&self, path: &str) -> JoinHandle<reqwest::Result<reqwest::Response>> {
        tokio::spawn(self.client.get(self.url(path)).send())
    }

    pub(crate) async fn snapshot(&self) -> Value {
        let url = self.url("/debug/ctx?format=json");
        let answer = self.client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// Looks until `f` finds something.
    pub(crate) async fn until<T>(&self, mut f: impl FnMut(&Value) -> Option<T>) -> T {
        let look = async {
            loop {
                let snapshot = self.snapshot().await;
                if let Some(found) = f(&snapshot) {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        match tokio::time::timeout(PATIENCE, look).await {
            Ok(found) => found,
            Err(_) => {
                let mut snapshot = self.snapshot().await;
                let live = snapshot["live"].as_array_mut().unwrap();
                live.truncate(5);
                panic!("not found: {}, first {:#}", snapshot["counts"], snapshot["live"])
            }
        }
    }

    /// Looks until a piece of work is as `is` says.
    pub(crate) async fn work(&self, is: impl Fn(&Value) -> bool) -> Value {
        self.until(|snapshot| works(snapshot).find(|work| is(work)).cloned()).await
    }
}

pub(crate) fn works(snapshot: &Value) -> impl Iterator<Item = &Value> {
    snapshot["live"].as_array().into_iter().flatten()
}

/// The line of a file on which a mark stands.
pub(crate) fn line(of: &str, mark: &str) -> u64 {
    let found = of.lines().position(|line| line.trim_end().ends_with(mark));
    found.unwrap_or_else(|| panic!("no `{mark}`")) as u64 + 1
}
