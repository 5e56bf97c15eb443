//! Redirects between `http` and `https` over real TLS: what the first hop was told, and what goes on.
//!
//! ```console
//! $ cargo test -p ctxprop-reqwest --features rustls-no-provider --test tls
//! ```
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::serve::Listener;
use common::{Counting, Seen, Server, redirect, status};
use ctxprop::{Background, Baggage, BaggageError, BaggageMap, BaggageMapBuilder, Ctx};
use ctxprop_reqwest::{Client, ClientBuilder};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Two peers, a host that the user allows, a stranger.
const NAMES: [&str; 4] = ["payments", "db.internal", "users.corp.example", "shop.example"];
/// Of a host that is not in the certificate.
const IMPOSTOR: &str = "stock";

const ALL: Option<&str> = Some("tenant=acme,user.id=7;private");
const PUBLIC: Option<&str> = Some("tenant=acme");

struct Caller;

impl Baggage for Caller {
    fn from_baggage(_: &BaggageMap) -> Result<Self, BaggageError> {
        Ok(Caller)
    }

    fn to_baggage(&self, out: &mut BaggageMapBuilder) -> Result<(), BaggageError> {
        out.insert("tenant", "acme")?.insert_private("user.id", "7").map(drop)
    }
}

fn caller() -> Ctx {
    let ctx = Ctx::background().with_baggage(&Caller).expect("valid baggage");
    ctx.with_timeout(Duration::from_secs(60))
}

/// Connections inside TLS. One whose handshake fails never becomes one.
struct Secure(Counting, TlsAcceptor);

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = self.0.accept().await;
            if let Ok(stream) = self.1.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A server for each scheme, and a certificate for all names but that of the impostor.
struct Both {
    plain: Server,
    secure: Server,
    client: ClientConfig,
    /// Where the hops of a chain lead: `/n` redirects to the one behind `n`, the last answers 200.
    hops: Arc<OnceLock<Vec<String>>>,
}

impl Both {
    async fn start() -> Both {
        let names = NAMES.map(str::to_owned);
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(names).expect("a certificate");
        // Named, as with all features there is another one.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = signing_key.serialize_der().try_into().expect("a key");
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a certificate and its key");
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).expect("a root");
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();

        let hops = Arc::<OnceLock<Vec<String>>>::default();
        let leads = Arc::clone(&hops);
        let answer = move |seen: Seen| {
            let next = leads.get().and_then(|hops| hops.get(at(&seen) + 1)).cloned();
            async { next.map_or_else(|| status(200), |next| redirect(307, next)) }
        };
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let secure =
            Server::behind(|tcp, count| Secure(Counting(tcp, count), acceptor), answer.clone());
        Both { secure: secure.await, plain: Server::start(answer).await, client, hops }
    }

    /// Sets the chain, and says where it begins.
    fn lead(&self, chain: &[&str]) -> String {
        let hops = chain.iter().enumerate().map(|(at, hop)| {
            let port = if hop.starts_with("https") { self.secure.port } else { self.plain.port };
            format!("{hop}:{port}/{at}")
        });
        let hops = self.hops.get_or_init(|| hops.collect());
        hops[0].clone()
    }

    fn client(&self) -> ClientBuilder {
        let client = Client::builder().no_proxy().allow_baggage_to("*.corp.example");
        let client = client.with(|http| http.tls_backend_preconfigured(self.client.clone()));
        let names = NAMES.iter().chain([&IMPOSTOR]);
        // The port is that of the URL.
        names.fold(client, |client, name| client.resolve(name, self.plain.address))
    }

    /// All that was seen by either, in the order of the hops, and whether it came over TLS.
    fn all(&mut self) -> Vec<(bool, Seen)> {
        let secure = self.secure.all().into_iter().map(|seen| (true, seen));
        let plain = self.plain.all().into_iter().map(|seen| (false, seen));
        let mut all: Vec<_> = secure.chain(plain).collect();
        all.sort_by_key(|(_, seen)| at(seen));
        all
    }
}

fn at(seen: &Seen) -> usize {
    seen.uri.path()[1..].parse().expect("a number")
}

/// Design 5.4: trust only falls, and what was asked for over TLS does not go in the clear.
#[tokio::test]
async fn what_goes_on_from_scheme_to_scheme() {
    let rows: &[(&[&str], &[Option<&str>])] = &[
        // in the mesh, in both directions, on one host and to another
        (&["https://payments", "http://payments"], &[ALL, None]),
        (&["https://payments", "http://db.internal"], &[ALL, None]),
        (&["http://payments", "https://payments"], &[ALL, ALL]),
        (&["http://payments", "https://db.internal"], &[ALL, ALL]),
        (&["https://payments", "https://db.internal"], &[ALL, ALL]),
        (&["https://payments", "https://payments"], &[ALL, ALL]),
        // out of it
        (&["https://payments", "http://shop.example"], &[ALL, None]),
        (&["https://payments", "https://shop.example"], &[ALL, None]),
        (&["http://payments", "https://shop.example"], &[ALL, None]),
        (&["https://shop.example", "https://payments"], &[None, None]),
        (&["http://shop.example", "https://payments"], &[None, None]),
        // to whom the user allows what is not private, and back
        (&["https://payments", "https://users.corp.example"], &[ALL, PUBLIC]),
        (&["https://payments", "http://users.corp.example"], &[ALL, None]),
        (&["http://users.corp.example", "https://payments"], &[PUBLIC, PUBLIC]),
        // what fell does not rise again
        (&["https://payments", "http://payments", "https://payments"], &[ALL, None, None]),
        (
            &["http://payments", "https://payments", "http://payments", "https://db.internal"],
            &[ALL, ALL, None, None],
        ),
    ];
    for (chain, baggage) in rows {
        let mut both = Both::start().await;
        let client = both.client().build().unwrap();
        let request = client.get(both.lead(chain)).bearer_auth("secret").header("cookie", "id=7");
        let answer = request.send().with(&caller()).await.unwrap();
        assert_eq!(answer.status(), 200, "{chain:?}");
        let seen = both.all();
        let over: Vec<_> = seen.iter().map(|(secure, _)| *secure).collect();
        let schemes: Vec<_> = chain.iter().map(|hop| hop.starts_with("https")).collect();
        assert_eq!(over, schemes, "{chain:?}");

        let seen: Vec<_> = seen.into_iter().map(|(_, seen)| seen).collect();
        let told: Vec<_> = seen.iter().map(|seen| seen.header("baggage")).collect();
        assert_eq!(told, *baggage, "{chain:?}");
        // Who we are is for the first origin: scheme, host and port.
        for (hop, seen) in chain.iter().zip(&seen) {
            let same = hop == &chain[0] && chain[..at(seen)].iter().all(|other| other == hop);
            let host = hop.rsplit('/').next();
            assert_eq!((seen.has("authorization"), seen.has("cookie")), (same, same), "{chain:?}");
            assert_eq!(Some(seen.host()), host, "{chain:?}");
        }
        // The trace goes on, with a span a hop; so does the budget.
        let mut spans: Vec<_> = seen.iter().map(Seen::trace).collect();
        assert!(spans.iter().all(|(trace, _)| *trace == spans[0].0), "{chain:?}");
        spans.sort();
        spans.dedup();
        assert_eq!(spans.len(), chain.len(), "{chain:?}");
        let left: Vec<_> = seen.iter().map(Seen::millis).collect();
        assert!(left.is_sorted_by(|before, after| before >= after), "{chain:?}: {left:?}");
        // The URL of one hop is nothing for whoever listens on the wire of the next.
        for (pair, seen) in chain.windows(2).zip(&seen[1..]) {
            if pair[0].starts_with("https") && !pair[1].starts_with("https") {
                assert!(!seen.has("referer"), "{chain:?}");
            }
        }
    }
}

/// The redirect leads to a name that the certificate does not have: it is told nothing at all.
#[tokio::test]
async fn a_host_that_is_not_who_it_says_is_told_nothing() {
    let mut both = Both::start().await;
    let client = both.client().build().unwrap();
    let first = both.lead(&["https://payments", "https://stock"]);
    let error = client.get(first).send().with(&caller()).await.unwrap_err();
    assert!(error.cancelled().is_none(), "{error:?}");
    assert_eq!(both.all().len(), 1);
    assert_eq!(both.secure.connections(), 2, "it was tried");
}

#[tokio::test]
async fn https_only_does_not_follow_into_the_clear() {
    let mut both = Both::start().await;
    let client = both.client().https_only(true).build().unwrap();
    let first = both.lead(&["https://payments", "http://payments"]);
    client.get(first).send().with(&caller()).await.unwrap_err();
    assert_eq!((both.all().len(), both.plain.connections()), (1, 0));
}
