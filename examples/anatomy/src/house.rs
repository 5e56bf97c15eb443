//! The house: the three services and the third party, each on a socket of its own, and what they share.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use ctxprop::{Background, Ctx};
use ctxprop_reqwest::Client;
use tokio::net::TcpListener;

use crate::services::{Failure, Receipt, auth, gateway, ledger, orders};
use crate::spans::Spans;
use crate::story::{Event, Story, round};

/// The names of the services, in the order of the hops.
pub(crate) const SERVICES: [&str; 3] = ["gateway", "auth", "orders"];

/// What every service holds.
#[derive(Clone)]
pub(crate) struct House(Arc<Inner>);

struct Inner {
    /// All requests of all services hang below it.
    root: Ctx,
    /// Knows `ledger.example`, which looks like a public name, on loopback.
    client: Client,
    addresses: Addresses,
    counters: [Counters; 3],
    /// The arrivals of this scene.
    visits: Mutex<Vec<Arrival>>,
    /// What is reserved at the moment.
    reserved: Mutex<Vec<String>>,
    /// The headers that the third party was sent last.
    third_party: Mutex<HeaderMap>,
    story: Mutex<Story>,
    spans: Spans,
}

/// What a request brought when it arrived.
#[derive(Clone)]
pub(crate) struct Arrival {
    pub(crate) trace_id: String,
    pub(crate) left_ms: Option<f64>,
}

struct Addresses {
    gateway: SocketAddr,
    auth: SocketAddr,
    orders: SocketAddr,
    ledger: SocketAddr,
}

#[derive(Default)]
struct Counters {
    started: AtomicUsize,
    answered: AtomicUsize,
    unwound: AtomicUsize,
    running: AtomicUsize,
}

impl House {
    /// Starts everything.
    pub(crate) async fn build(
        story: &Story,
        spans: &Spans,
    ) -> Result<House, Box<dyn std::error::Error + Send + Sync>> {
        let sockets = [listen().await?, listen().await?, listen().await?, listen().await?];
        let [gateway, auth, orders, ledger] = sockets;
        let addresses = Addresses {
            gateway: gateway.local_addr()?,
            auth: auth.local_addr()?,
            orders: orders.local_addr()?,
            ledger: ledger.local_addr()?,
        };
        let client =
            Client::builder().no_proxy().resolve("ledger.example", addresses.ledger).build()?;
        let house = House(Arc::new(Inner {
            root: Ctx::background().with_cancel().0,
            client,
            addresses,
            counters: Default::default(),
            visits: Mutex::default(),
            reserved: Mutex::default(),
            third_party: Mutex::default(),
            story: Mutex::new(story.clone()),
            spans: spans.clone(),
        }));
        serve(gateway, gateway::app(house.clone()));
        serve(auth, auth::app(house.clone()));
        serve(orders, orders::app(house.clone()));
        serve(ledger, ledger::app(house.clone()));
        Ok(house)
    }

    pub(crate) fn root(&self) -> &Ctx {
        &self.0.root
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn spans(&self) -> &Spans {
        &self.0.spans
    }

    /// Where `path` of a service is.
    pub(crate) fn url(&self, service: &str, path: &str) -> String {
        let addresses = &self.0.addresses;
        match service {
            "gateway" => format!("http://{}{path}", addresses.gateway),
            "auth" => format!("http://{}{path}", addresses.auth),
            "orders" => format!("http://{}{path}", addresses.orders),
            // By its public name, as anybody would call it.
            _ => format!("http://ledger.example:{}{path}", addresses.ledger.port()),
        }
    }

    pub(crate) fn reserved(&self, item: &str) {
        lock(&self.0.reserved).push(item.to_owned());
    }

    pub(crate) fn given_back(&self, item: &str) {
        lock(&self.0.reserved).retain(|reserved| reserved != item);
    }

    pub(crate) fn is_reserved(&self, item: &str) -> bool {
        lock(&self.0.reserved).iter().any(|reserved| reserved == item)
    }

    pub(crate) fn third_party_received(&self, headers: &HeaderMap) {
        *lock(&self.0.third_party) = headers.clone();
    }

    /// The headers that the third party was sent last.
    pub(crate) fn third_party(&self) -> HeaderMap {
        lock(&self.0.third_party).clone()
    }

    /// From now on the clock counts from here.
    pub(crate) fn begin(&self, story: Story) {
        *lock(&self.0.story) = story;
        lock(&self.0.visits).clear();
    }

    pub(crate) fn story(&self) -> Story {
        lock(&self.0.story).clone()
    }

    /// The arrivals of this scene, in their order.
    pub(crate) fn visits(&self) -> Vec<Arrival> {
        lock(&self.0.visits).clone()
    }

    /// A request arrives at `service`.
    pub(crate) fn arrive(&self, service: &'static str, ctx: &Ctx) -> Visit {
        let counters = self.counters(service);
        counters.started.fetch_add(1, Ordering::SeqCst);
        counters.running.fetch_add(1, Ordering::SeqCst);
        let story = self.story();
        let baggage: BTreeMap<_, _> = ctx
            .baggage_map()
            .iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let (trace_id, left_ms) = (ctx.span().trace_id().to_string(), left_ms(ctx));
        lock(&self.0.visits).push(Arrival { trace_id: trace_id.clone(), left_ms });
        let (at_ms, span_id) = (story.at_ms(), ctx.span().span_id().to_string());
        story.tell(&Event::Arrived { at_ms, service, trace_id, span_id, left_ms, baggage });
        Visit { house: self.clone(), service, ctx: ctx.clone(), story }
    }

    fn counters(&self, service: &str) -> &Counters {
        let index = SERVICES.iter().position(|name| *name == service).unwrap_or(0);
        &self.0.counters[index]
    }

    /// Tells the counters of each service.
    pub(crate) fn count(&self) -> [(&'static str, Counts); 3] {
        let story = self.story();
        SERVICES.map(|service| {
            let counters = self.counters(service);
            let counts = Counts {
                started: counters.started.load(Ordering::SeqCst),
                answered: counters.answered.load(Ordering::SeqCst),
                unwound: counters.unwound.load(Ordering::SeqCst),
                running: counters.running.load(Ordering::SeqCst),
            };
            let Counts { started, answered, unwound, running } = counts;
            story.tell(&Event::Counted { service, started, answered, unwound, running });
            (service, counts)
        })
    }

    /// Returns when nothing runs in any service any more.
    pub(crate) async fn quiet(&self) {
        let quiet = async {
            while self.root().live_children() > 0 {
                tokio::task::yield_now().await;
            }
            self.root().idle().await;
        };
        // A request that never ends is what the scenes are there to find: they check the counters.
        drop(tokio::time::timeout(Duration::from_secs(2), quiet).await);
    }
}

/// What the counters of a service say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) started: usize,
    pub(crate) answered: usize,
    pub(crate) unwound: usize,
    pub(crate) running: usize,
}

/// One request in one service, from its arrival until its code is gone.
pub(crate) struct Visit {
    house: House,
    service: &'static str,
    ctx: Ctx,
    story: Story,
}

impl Visit {
    /// The request leaves with what it says, or because its context has ended.
    pub(crate) fn leave(self, said: Result<Receipt, Failure>) -> Result<Receipt, Failure> {
        let counters = self.house.counters(self.service);
        let (at_ms, service) = (self.story.at_ms(), self.service);
        match &said {
            Err(Failure::Cancelled(cancelled)) => {
                counters.unwound.fetch_add(1, Ordering::SeqCst);
                self.story.tell(&Event::Unwound { at_ms, service, cause: cancelled.to_string() });
            }
            other => {
                counters.answered.fetch_add(1, Ordering::SeqCst);
                let said = match other {
                    Ok(receipt) => format!(
                        "{} for user {} of {}",
                        receipt.item, receipt.user_id, receipt.tenant
                    ),
                    Err(failure) => failure.to_string(),
                };
                self.story.tell(&Event::Departed {
                    at_ms,
                    service,
                    left_ms: left_ms(&self.ctx),
                    said,
                });
            }
        }
        said
    }

    /// Tells that the end of the context was seen, where something is left to do before the request leaves.
    pub(crate) fn saw(&self, failure: &Failure) {
        if let Failure::Cancelled(cancelled) = failure {
            let (at_ms, cause) = (self.story.at_ms(), cancelled.to_string());
            self.story.tell(&Event::SawTheEnd { at_ms, service: self.service, cause });
        }
    }

    /// Tells that something was given back.
    pub(crate) fn released(&self, what: &str) {
        let at_ms = self.story.at_ms();
        self.story.tell(&Event::Released { at_ms, service: self.service, what: what.to_owned() });
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.house.counters(self.service).running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn left_ms(ctx: &Ctx) -> Option<f64> {
    ctx.remaining().map(|left| round(left.as_secs_f64() * 1_000.0))
}

async fn listen() -> io::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").await
}

fn serve(listener: TcpListener, app: Router) {
    // Ends with the runtime, that is with `main`.
    drop(tokio::spawn(async move { axum::serve(listener, app).await }));
}
