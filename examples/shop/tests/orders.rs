//! 2,000 orders under random budgets, by clients that hang up: at the end nothing is half done, and nothing is left alive.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/house.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use support::{Books, Folder, House, Manners, broker, place};
use tokio::time::{Instant, sleep};

const ORDERS: u32 = 2_000;
const CLIENTS: u64 = 24;

fn seed() -> u64 {
    let seed = std::env::var("SHOP_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(20_261_130);
    eprintln!("SHOP_SEED={seed}");
    seed
}

/// Waits until `holds`, which somebody else brings about.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "never: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_orders_leave_nothing_half_done_and_nothing_alive() {
    let Some(broker) = broker() else { return };
    let folder = Folder::new("orders");
    let house = House::open(&folder.0, &broker).await;
    let (gateway, seed) = (house.gateway.address, seed());
    let next = Arc::new(AtomicU32::new(0));
    let clients = (0..CLIENTS).map(|client| {
        let next = Arc::clone(&next);
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed + client);
            let mut statuses = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= ORDERS {
                    return statuses;
                }
                let (key, article) = (format!("order-{number}"), random.i64(1..=5));
                let manners = Manners::random(&mut random);
                let began = Instant::now();
                let status = place(gateway, &key, article, manners).await;
                // Who waits as long as the shop does is served, whatever became of the others.
                let waits = manners.budget.is_none() && manners.patience.is_none();
                let slow = began.elapsed() >= Duration::from_secs(5);
                assert!(!waits || slow || status == Some(200), "{key}: {status:?}");
                statuses.push((key, status));
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    let mut statuses = Vec::new();
    for client in clients {
        statuses.extend(client.await.unwrap());
    }
    assert_eq!(statuses.len(), ORDERS as usize);

    // All that is left is what each service does on its own; its requests, and what they have spawned, are over.
    let jobs = ["the board is fed", "parcels are sent", "the outbox is emptied"];
    for (service, jobs) in house.all().into_iter().zip([&jobs[..1], &jobs[1..2], &jobs[2..], &[]]) {
        let done = || {
            let left = service.root.list_tasks();
            left.iter().all(|task| task.reason().is_some_and(|reason| jobs.contains(&reason)))
                && service.root.live_tasks() == jobs.len()
        };
        until(&format!("no request is left, and no task but {jobs:?}"), done).await;
    }
    let books = Books::read(&house.databases).await;
    let said = |status: u16| statuses.iter().filter(|(_, got)| *got == Some(status)).count();
    eprintln!(
        "{books:?}; {} clients heard that theirs is paid, {} that the time was up, {} left",
        said(200),
        said(504),
        statuses.iter().filter(|(_, got)| got.is_none()).count()
    );
    books.balance();
    assert!(books.paid > 20 && books.released > 20 && said(504) > 20, "it tried nothing");
    // Who heard that it is paid has it.
    for (key, _) in statuses.iter().filter(|(_, status)| *status == Some(200)) {
        let state = sqlx::query_scalar("SELECT state FROM orders WHERE key = ?").bind(key);
        let state: String = state.fetch_one(&house.databases[0]).await.unwrap();
        assert!(state == "paid" || state == "shipped", "{key} is {state}");
    }
    // And what is paid is sent, though many of those who ordered have gone.
    let unsent = || async {
        let unsent = "SELECT count(*) FROM orders WHERE state = 'paid'";
        sqlx::query_scalar::<_, i64>(unsent).fetch_one(&house.databases[0]).await.unwrap()
    };
    let began = Instant::now();
    while unsent().await > 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "parcels are not sent");
        sleep(Duration::from_millis(20)).await;
    }
    for database in &house.databases {
        shop::database::nothing_open(database).await.unwrap();
    }
    let House { gateway, orders, worker, stock, databases } = house;
    for service in [gateway, worker, orders, stock] {
        let root = service.root.clone();
        let drained = service.stop().await.unwrap();
        assert!(drained.is_clean(), "{drained:?}");
        root.idle().await;
        assert_eq!((root.live_children(), root.live_tasks()), (0, 0));
    }
    for database in databases {
        database.close().await;
    }
}
