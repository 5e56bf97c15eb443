//! The shop as processes: told to go in the middle of it, killed, and with a job that never ends.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/house.rs"]
mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shop::processes::{House, Process};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Executor, SqliteConnection, SqlitePool};
use support::{BANK, Books, Folder, Manners, broker, place};

const SHOP: &str = env!("CARGO_BIN_EXE_shop");

type Log = Arc<Mutex<Vec<String>>>;

fn start(folder: &Path, nats: &str, bank: Duration, log: &Log) -> House {
    let log = Arc::clone(log);
    let tell = move |service: &str, line: &str| {
        log.lock().unwrap().push(format!("{service} | {line}"));
    };
    House::start(Path::new(SHOP), folder, nats, bank, tell).unwrap()
}

fn address(process: &Process) -> SocketAddr {
    process.url.strip_prefix("http://").unwrap().parse().unwrap()
}

async fn books(folder: &Path) -> Books {
    let open =
        |name| SqlitePool::connect_with(SqliteConnectOptions::new().filename(folder.join(name)));
    let pools = [open("orders.db").await.unwrap(), open("stock.db").await.unwrap()];
    // Nobody else has a lock: no process is in a transaction.
    for name in ["orders.db", "stock.db"] {
        let options = SqliteConnectOptions::new().filename(folder.join(name));
        let mut alone =
            SqliteConnection::connect_with(&options.busy_timeout(Duration::ZERO)).await.unwrap();
        alone.execute("BEGIN EXCLUSIVE").await.unwrap();
        alone.execute("ROLLBACK").await.unwrap();
        alone.close().await.unwrap();
    }
    let books = Books::read(&pools).await;
    for pool in pools {
        pool.close().await;
    }
    books
}

/// Orders from many clients until told to stop; those who were told that theirs is paid.
fn crowd(
    gateway: SocketAddr,
    seed: u64,
    placed: &Arc<AtomicU32>,
    stop: &Arc<AtomicBool>,
) -> Vec<tokio::task::JoinHandle<Vec<String>>> {
    let clients = (0..16_u64).map(|client| {
        let (placed, stop) = (Arc::clone(placed), Arc::clone(stop));
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed + client);
            let mut paid = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let key = format!("order-{seed}-{}", placed.fetch_add(1, Ordering::Relaxed));
                let (article, manners) = (random.i64(1..=5), Manners::random(&mut random));
                match place(gateway, &key, article, manners).await {
                    Some(200) => paid.push(key),
                    Some(_) => {}
                    // It left, or the gateway is gone.
                    None => tokio::time::sleep(BANK).await,
                }
            }
            paid
        })
    });
    clients.collect()
}

async fn until(placed: &AtomicU32, many: u32) {
    while placed.load(Ordering::Relaxed) < many {
        tokio::time::sleep(BANK).await;
    }
}

/// Told to go with traffic in flight, it answers what it can, undoes the rest, and leaves nothing half done.
async fn told_to_go(name: &str, seed: u64, all: fn(&mut House) -> Vec<&mut Process>) {
    let Some(broker) = broker() else { return };
    let folder = Folder::new(name);
    let log = Log::default();
    let mut house = start(&folder.0, &broker.address, BANK, &log);
    let (placed, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let clients = crowd(address(&house.gateway), seed, &placed, &stop);
    until(&placed, 300).await;
    for process in all(&mut house) {
        process.terminate().unwrap();
    }
    let waited = tokio::task::spawn_blocking(move || {
        let ended: Vec<_> = all(&mut house).iter_mut().map(|one| one.wait().unwrap()).collect();
        (house, ended)
    });
    let (house, ended) = waited.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    assert!(ended.iter().all(|status| status.success()), "{ended:?}: {:#?}", log.lock().unwrap());
    let mut paid = Vec::new();
    for client in clients {
        paid.extend(client.await.unwrap());
    }
    let then = books(&folder.0).await;
    eprintln!("{then:?}; {} clients heard that theirs is paid", paid.len());
    then.balance();
    assert!(then.paid >= i64::try_from(paid.len()).unwrap() && !paid.is_empty());
    assert!(tokio::task::spawn_blocking(move || house.end()).await.unwrap().unwrap());
    assert_eq!(books(&folder.0).await, then);
}

/// The gateway goes on for a while, and has nobody to ask.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_orders_are_told_to_go_in_the_middle_of_it() {
    told_to_go("term-orders", 1, |house| vec![&mut house.orders]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_the_orders_and_the_worker_are_told_to_go_at_once() {
    told_to_go("term-all", 3, |house| {
        let House { gateway, orders, worker, .. } = house;
        vec![gateway, orders, worker]
    })
    .await;
}

/// A process that is killed runs no shield. The next one releases what it finds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_it_it_is_put_right_by_the_next() {
    let Some(broker) = broker() else { return };
    let folder = Folder::new("kill");
    let log = Log::default();
    // Orders are pending for most of their time.
    let slow = Duration::from_secs(2);
    let mut house = start(&folder.0, &broker.address, slow, &log);
    let (placed, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let clients = crowd(address(&house.gateway), 2, &placed, &stop);
    until(&placed, 100).await;
    house.orders.kill().unwrap();
    house.orders.wait().unwrap();
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    house.gateway.terminate().unwrap();
    house.gateway.wait().unwrap();
    let stock = house.stock.url.clone();
    let before = books(&folder.0).await;
    assert!(before.pending > 0, "it was killed too late to show anything: {before:?}");
    let log = Arc::clone(&log);
    let args = [
        "orders",
        "--data",
        folder.0.to_str().unwrap(),
        "--nats",
        &broker.address,
        "--stock",
        &stock,
    ];
    let again = Process::start(Path::new(SHOP), &args, move |line| {
        log.lock().unwrap().push(line.to_owned());
    });
    let mut again = again.unwrap();
    let after = books(&folder.0).await;
    eprintln!("{before:?}, and then {after:?}");
    after.balance();
    again.terminate().unwrap();
    assert!(again.wait().unwrap().success());
}

/// What keeps a service from ending is told by name.
#[tokio::test]
async fn a_job_that_never_ends_is_named_by_the_drain() {
    let folder = Folder::new("never");
    let log = Log::default();
    let told = Arc::clone(&log);
    let args = ["stock", "--data", folder.0.to_str().unwrap(), "--never-ends"];
    let mut stock = Process::start(Path::new(SHOP), &args, move |line| {
        told.lock().unwrap().push(line.to_owned());
    })
    .unwrap();
    stock.terminate().unwrap();
    assert_eq!(stock.wait().unwrap().code(), Some(1));
    let said = |text: &str| log.lock().unwrap().iter().any(|line| line.contains(text));
    // The last lines may still be on their way.
    while !said("did not end: ") {
        tokio::time::sleep(BANK).await;
    }
    let log = log.lock().unwrap().join("\n");
    assert!(
        log.contains(
            r#"did not end: "a report that never ends", spawned at examples/shop/src/main.rs:"#
        ),
        "{log}"
    );
    assert!(log.contains(r#"tasks did not end reason="a report that never ends" spawned_at=examples/shop/src/main.rs:"#), "{log}");
}

/// What each service says, without times, ids and numbers.
fn messages(text: &str) -> BTreeSet<String> {
    let services = ["gateway", "orders", "stock", "worker"];
    let lines = text.lines().filter_map(|line| line.trim_start().split_once(" | "));
    let told = lines.filter(|(service, _)| services.contains(service)).map(|(service, line)| {
        let (_, line) = line.split_once("INFO ").unwrap();
        let message = line.split_once("}: ").map_or(line, |(_, message)| message);
        let words = message.split(' ').take_while(|word| !word.contains('='));
        format!("{service} {}", words.collect::<Vec<_>>().join(" "))
    });
    told.collect()
}

/// One trace through all of it: what the page of the docs shows.
#[tokio::test]
async fn the_demo_has_one_trace_in_all_services() {
    if broker().is_none() {
        return;
    }
    let demo = tokio::process::Command::new(SHOP).arg("demo").output().await.unwrap();
    let text = String::from_utf8(demo.stdout).unwrap();
    assert!(demo.status.success(), "{text}{}", String::from_utf8_lossy(&demo.stderr));
    let trace = text.lines().find_map(|line| line.split_once("client | paid for 1200, trace "));
    let trace = trace.unwrap().1;
    assert_eq!(trace.len(), 32, "{text}");
    for service in ["gateway", "orders", "stock", "worker"] {
        let of_service = |line: &&str| line.trim_start().starts_with(&format!("{service} | "));
        let told = text.lines().filter(of_service).filter(|line| line.contains(trace));
        assert!(told.count() > 0, "{service} does not tell of {trace}:\n{text}");
    }
    assert!(text.contains("client | shipped"), "{text}");
    let page = include_str!("../../../docs/shop.md");
    assert_eq!(messages(page), messages(&text), "docs/shop.md does not show what is printed");
}
