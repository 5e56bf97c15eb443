//! The house: the three services and the third party, each on a socket of its own, and what they share.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::middleware::{self, Next};
use ctxprop::{Background, Ctx};
use ctxprop_reqwest::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::Instrument as _;

use crate::services::{auth, gateway, ledger, orders};
use crate::spans::Spans;
use crate::story::{Event, Story};
use crate::visit::Arrival;

/// The names of the services, in the order of the hops.
pub(crate) const SERVICES: [&str; 3] = ["gateway", "auth", "orders"];

/// The target of the span that is around all that a service does.
pub(crate) const TARGET: &str = "anatomy";

/// The headers that carry a context.
const CARRIED: [&str; 5] = ["traceparent", "tracestate", "baggage", "x-timeout-ms", "x-deadline"];

/// What every service holds.
#[derive(Clone)]
pub(crate) struct House(Arc<Inner>);

struct Inner {
    /// All requests of all services hang below it.
    root: Ctx,
    /// Knows `ledger.example`, which looks like a public name, on loopback.
    client: Client,
    addresses: Addresses,
    /// How many times longer than in a hurry everything takes.
    pace: u32,
    counters: [Counters; 3],
    /// The arrivals of this scene.
    visits: Mutex<Vec<Arrival>>,
    /// What is reserved at the moment.
    reserved: watch::Sender<Vec<String>>,
    /// The headers that the third party was sent last.
    third_party: Mutex<HeaderMap>,
    story: Mutex<Story>,
    spans: Spans,
}

struct Addresses {
    gateway: SocketAddr,
    auth: SocketAddr,
    orders: SocketAddr,
    ledger: SocketAddr,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) started: AtomicUsize,
    pub(crate) answered: AtomicUsize,
    pub(crate) unwound: AtomicUsize,
    pub(crate) running: AtomicUsize,
}

impl House {
    /// Starts everything. Its services take `pace` times as long as they would in a hurry.
    pub(crate) async fn build(
        story: &Story,
        spans: &Spans,
        pace: u32,
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
            pace,
            counters: Default::default(),
            visits: Mutex::default(),
            reserved: watch::Sender::default(),
            third_party: Mutex::default(),
            story: Mutex::new(story.clone()),
            spans: spans.clone(),
        }));
        serve(gateway, house.watched("gateway", gateway::app(house.clone())));
        serve(auth, house.watched("auth", auth::app(house.clone())));
        serve(orders, house.watched("orders", orders::app(house.clone())));
        serve(ledger, house.watched("ledger", ledger::app(house.clone())));
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

    /// How long something takes that takes `in_a_hurry` at the quickest.
    pub(crate) fn pace(&self, in_a_hurry: Duration) -> Duration {
        in_a_hurry * self.0.pace
    }

    pub(crate) fn reserved(&self, item: &str) {
        self.0.reserved.send_modify(|reserved| reserved.push(item.to_owned()));
    }

    pub(crate) fn given_back(&self, item: &str) {
        self.0.reserved.send_modify(|reserved| reserved.retain(|reserved| reserved != item));
    }

    pub(crate) fn is_reserved(&self, item: &str) -> bool {
        self.0.reserved.borrow().iter().any(|reserved| reserved == item)
    }

    /// Returns as soon as `item` is reserved.
    pub(crate) async fn until_reserved(&self, item: &str) {
        let mut reserved = self.0.reserved.subscribe();
        let has_it = |reserved: &Vec<String>| reserved.iter().any(|reserved| reserved == item);
        // It fails only without a sender, which is ours.
        drop(reserved.wait_for(has_it).await);
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

    pub(crate) fn arrived(&self, arrival: Arrival) {
        lock(&self.0.visits).push(arrival);
    }

    /// The arrivals of this scene, in their order.
    pub(crate) fn visits(&self) -> Vec<Arrival> {
        lock(&self.0.visits).clone()
    }

    pub(crate) fn counters(&self, service: &str) -> &Counters {
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

    /// The service with what it is sent noted, as it came off the wire, and a span around all that it does.
    fn watched(&self, service: &'static str, app: Router) -> Router {
        let house = self.clone();
        let watch = move |request: Request, next: Next| {
            let story = house.story();
            story.note(|| {
                let at_ms = story.at_ms();
                Event::Received { at_ms, service, headers: carried(request.headers()) }
            });
            let span = tracing::info_span!(target: TARGET, "service", service);
            next.run(request).instrument(span)
        };
        app.layer(middleware::from_fn(watch))
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

/// What a message says of its context, as text.
fn carried(headers: &HeaderMap) -> BTreeMap<String, String> {
    let lines = headers.iter().filter(|(name, _)| CARRIED.contains(&name.as_str()));
    let mut carried = BTreeMap::<_, String>::new();
    for (name, value) in lines {
        let said = carried.entry(name.to_string()).or_default();
        if !said.is_empty() {
            said.push_str(", ");
        }
        said.push_str(&String::from_utf8_lossy(value.as_bytes()));
    }
    carried
}

/// The service of this name; `client` where there is none.
pub(crate) fn name_of(service: &str) -> &'static str {
    let names = SERVICES.into_iter().chain(["ledger"]);
    names.into_iter().find(|name| *name == service).unwrap_or("client")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen() -> io::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").await
}

fn serve(listener: TcpListener, app: Router) {
    // Ends with the runtime, that is with `main`.
    drop(tokio::spawn(async move { axum::serve(listener, app).await }));
}
