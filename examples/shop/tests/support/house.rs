//! The shop in this process, and what its books say.
#![allow(dead_code, reason = "each test file has its own part of it")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shop::gateway::Gateway;
use shop::orders::Orders;
use shop::processes::Broker;
use shop::service::{Root, Running};
use shop::stock::Stock;
use shop::worker::Worker;
use sqlx::SqlitePool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The broker; `None`, and a word about it, where there is none here.
pub(crate) fn broker() -> Option<Broker> {
    let broker = Broker::start().unwrap();
    if broker.is_none() {
        // Not through a macro, whose output a passing test keeps to itself.
        let message = "SKIPPED: no nats-server here, so the shop was not opened \
                       (Debian: apt-get install nats-server)\n";
        std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes()).unwrap();
    }
    broker
}

/// A folder of its own, gone with this.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("shop-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// All services, in this process; over sockets all the same.
pub(crate) struct House {
    pub(crate) gateway: Running,
    pub(crate) orders: Running,
    pub(crate) worker: Running,
    pub(crate) stock: Running,
    pub(crate) databases: [SqlitePool; 2],
}

pub(crate) const BANK: Duration = Duration::from_millis(30);

impl House {
    pub(crate) async fn open(folder: &Path, broker: &Broker) -> House {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let stock = Stock::open(folder, BANK).await.unwrap();
        let stock_books = stock.database().clone();
        let stock = stock.serve(Root::new(), any).await.unwrap();
        let url = |running: &Running| format!("http://{}", running.address);
        let orders = Orders::open(folder, &url(&stock), &broker.address).await.unwrap();
        let databases = [orders.database().clone(), stock_books];
        let orders = orders.serve(Root::new(), any).await.unwrap();
        let worker = Worker::open(&url(&orders), &broker.address).await.unwrap();
        let worker = worker.serve(Root::new(), any).await.unwrap();
        let gateway = Gateway::open(&url(&orders), &url(&stock), &broker.address).await.unwrap();
        let gateway = gateway.serve(Root::new(), any).await.unwrap();
        House { gateway, orders, worker, stock, databases }
    }

    pub(crate) fn all(&self) -> [&Running; 4] {
        [&self.gateway, &self.worker, &self.orders, &self.stock]
    }
}

/// How a client behaves. All of it comes from one seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// What it asks for.
    pub(crate) budget: Option<u32>,
    /// After how many microseconds it hangs up.
    pub(crate) patience: Option<u64>,
}

impl Manners {
    pub(crate) fn random(random: &mut fastrand::Rng) -> Manners {
        Manners {
            budget: (random.u8(..3) > 0).then(|| random.u32(1..120)),
            patience: (random.u8(..3) == 0).then(|| random.u64(..80_000)),
        }
    }
}

/// Places one order over a connection of its own, and perhaps hangs up before the answer. The status, where one came.
pub(crate) async fn place(
    gateway: SocketAddr,
    key: &str,
    article: i64,
    manners: Manners,
) -> Option<u16> {
    let mut stream = TcpStream::connect(gateway).await.ok()?;
    let budget = manners.budget.map(|ms| format!("x-timeout-ms: {ms}\r\n")).unwrap_or_default();
    let body = format!(r#"{{"key":"{key}","article":{article}}}"#);
    let request = format!(
        "POST /orders HTTP/1.1\r\nhost: shop\r\nconnection: close\r\nauthorization: Bearer alice\r\n\
         {budget}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    match manners.patience {
        Some(patience) => {
            tokio::time::timeout(Duration::from_micros(patience), reading).await.ok()?.ok()?
        }
        None => reading.await.ok()?,
    };
    std::str::from_utf8(&answer).ok()?.split(' ').nth(1)?.parse().ok()
}

/// What the books of both services say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) pending: i64,
    /// Paid, the shipped ones among them.
    pub(crate) paid: i64,
    pub(crate) released: i64,
    /// Pieces that are gone.
    pub(crate) gone: i64,
    /// Orders whose money was taken and not given back.
    pub(crate) charged: i64,
}

impl Books {
    pub(crate) async fn read([orders, stock]: &[SqlitePool; 2]) -> Books {
        let count = async |pool: &SqlitePool, query: &str| -> i64 {
            sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
        };
        Books {
            pending: count(orders, "SELECT count(*) FROM orders WHERE state = 'pending'").await,
            paid: count(orders, "SELECT count(*) FROM orders WHERE state IN ('paid', 'shipped')")
                .await,
            released: count(orders, "SELECT count(*) FROM orders WHERE state = 'released'").await,
            gone: count(stock, "SELECT 500000 - sum(stock) FROM articles").await,
            charged: count(stock, "SELECT count(*) FROM charged WHERE given_back = 0").await,
        }
    }

    /// Nothing is half done.
    #[track_caller]
    pub(crate) fn balance(&self) {
        assert_eq!(self.pending, 0, "orders are pending: {self:?}");
        assert_eq!(self.gone, self.paid, "pieces are gone that nobody has paid for: {self:?}");
        assert_eq!(self.charged, self.paid, "money was kept for nothing: {self:?}");
    }
}
