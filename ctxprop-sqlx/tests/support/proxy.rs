//! A proxy between pool and server: counts round trips, cuts, stalls, delays requests to stop something, and loses the
//! answer to a commit.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Server;
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Default)]
struct Faults {
    /// Times that the client sent something after the server had.
    round_trips: AtomicU64,
    /// The server's answers arrive in pieces of at most so many bytes, random ones; 0 is whole.
    dribbles: AtomicU64,
    /// The server's answers do not arrive.
    stalled: AtomicBool,
    /// The next commit arrives, its answer does not: the connection is cut.
    loses_commit: AtomicBool,
    /// In the place of the answer to the next commit the server says that it panics.
    panics_at_commit: AtomicBool,
    /// Connecting takes so much longer.
    connect_delay: Mutex<Duration>,
    /// What the side connection sends arrives so much later.
    cancel_delay: Mutex<Duration>,
    /// What the side connection sends arrives, and is cut before it is answered.
    cuts_cancels: AtomicBool,
}

pub(crate) struct Proxy {
    port: u16,
    faults: Arc<Faults>,
    cuts: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) async fn before(server: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let faults = Arc::new(Faults::default());
        let (cuts, cut) = watch::channel(0);
        let shared = Arc::clone(&faults);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                client.set_nodelay(true).unwrap();
                let (shared, cut) = (Arc::clone(&shared), cut.clone());
                tokio::spawn(async move {
                    let delay = *shared.connect_delay.lock().unwrap();
                    tokio::time::sleep(delay).await;
                    // Nobody listens while the server is down.
                    if let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await {
                        server.set_nodelay(true).unwrap();
                        carry(client, server, shared, cut).await;
                    }
                });
            }
        });
        Proxy { port, faults, cuts }
    }

    pub(crate) fn options(&self, server: &Server) -> PgConnectOptions {
        server.reach(self.port)
    }

    pub(crate) fn round_trips(&self) -> u64 {
        self.faults.round_trips.load(SeqCst)
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Has answers come in pieces, so that reading them takes many polls.
    pub(crate) fn dribble(&self, bytes: u64) {
        self.faults.dribbles.store(bytes, SeqCst);
    }

    pub(crate) fn stall(&self, stalled: bool) {
        self.faults.stalled.store(stalled, SeqCst);
    }

    pub(crate) fn lose_commit(&self) {
        self.faults.loses_commit.store(true, SeqCst);
    }

    pub(crate) fn panic_at_commit(&self) {
        self.faults.panics_at_commit.store(true, SeqCst);
    }

    pub(crate) fn delay_cancels(&self, by: Duration) {
        *self.faults.cancel_delay.lock().unwrap() = by;
    }

    pub(crate) fn delay_connects(&self, by: Duration) {
        *self.faults.connect_delay.lock().unwrap() = by;
    }

    pub(crate) fn cut_cancels(&self, cuts: bool) {
        self.faults.cuts_cancels.store(cuts, SeqCst);
    }
}

/// What both directions of one connection share.
#[derive(Default)]
struct Line {
    server_spoke: AtomicBool,
    is_side: AtomicBool,
    /// The server's next word is not heard.
    deaf: AtomicBool,
    /// Instead of it the client hears [`PANIC`].
    panics: AtomicBool,
}

/// What PostgreSQL says where it cannot write its log.
const PANIC: &[u8] = b"E\0\0\0\x29SPANIC\0VPANIC\0C53100\0Mno space left\0\0";

async fn carry(
    client: TcpStream,
    server: TcpStream,
    faults: Arc<Faults>,
    mut cut: watch::Receiver<u64>,
) {
    cut.mark_unchanged();
    let line = Line::default();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        _ = upwards(from_client, to_server, &line, &faults) => {}
        _ = downwards(from_server, to_client, &line, &faults) => {}
        _ = cut.changed() => {}
    }
}

async fn upwards(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    line: &Line,
    faults: &Faults,
) {
    let mut buf = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = client.read(&mut buf).await {
        let sent = &buf[..n];
        if has(sent, b"ctxprop-cancel") {
            line.is_side.store(true, SeqCst);
        }
        if line.server_spoke.swap(false, SeqCst) {
            faults.round_trips.fetch_add(1, SeqCst);
        }
        if has(sent, b"pg_cancel_backend") {
            let delay = *faults.cancel_delay.lock().unwrap();
            tokio::time::sleep(delay).await;
            if faults.cuts_cancels.load(SeqCst) {
                line.deaf.store(true, SeqCst);
            }
        }
        if has(sent, b"COMMIT") && faults.loses_commit.swap(false, SeqCst) {
            line.deaf.store(true, SeqCst);
        }
        if has(sent, b"COMMIT") && faults.panics_at_commit.swap(false, SeqCst) {
            line.panics.store(true, SeqCst);
        }
        if server.write_all(&buf[..n]).await.is_err() {
            return;
        }
    }
}

async fn downwards(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    line: &Line,
    faults: &Faults,
) {
    let mut buf = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = server.read(&mut buf).await {
        while faults.stalled.load(SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if line.deaf.load(SeqCst) {
            return;
        }
        if line.panics.load(SeqCst) {
            drop(client.write_all(PANIC).await);
            return;
        }
        line.server_spoke.store(true, SeqCst);
        let most = usize::try_from(faults.dribbles.load(SeqCst)).unwrap();
        let mut rest = &buf[..n];
        while !rest.is_empty() {
            let piece = if most == 0 { n } else { fastrand::usize(1..=most) };
            let (piece, later) = rest.split_at(piece.min(rest.len()));
            if client.write_all(piece).await.is_err() {
                return;
            }
            rest = later;
            if most > 0 {
                tokio::task::yield_now().await;
            }
        }
    }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
