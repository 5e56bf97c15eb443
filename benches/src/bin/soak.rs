//! A soak: mixed traffic against three services at the rate that the machine holds, and then nothing may be left of it.
//!
//! ```console
//! $ cargo run --release --manifest-path benches/Cargo.toml --bin soak [-- --seconds 600] [--clients 128]
//! ```
//!
//! It prints how many requests there were, their outcomes by cause, and the resident memory over time. It fails where a
//! client did not get what its kind gets, where a context, a task, a timer or a connection is left, and where memory is
//! more than 5 % over what it was after the first minute, or the first tenth of a shorter run: medians of a tenth each.

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ctxprop_benches::soak::events::Told;
use ctxprop_benches::soak::memory::{resident, sockets};
use ctxprop_benches::soak::services::{Service, start};
use ctxprop_benches::soak::traffic::{Kind, client};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;

const USAGE: &str = "usage: soak [--seconds N] [--clients N]";

/// How long what is left may take to go.
const GRACE: Duration = Duration::from_secs(60);

/// What memory may grow by.
const MORE: f64 = 1.05;

#[derive(Debug, Clone, Copy)]
struct Options {
    seconds: u64,
    clients: usize,
}

fn options() -> Result<Options, String> {
    let mut options = Options { seconds: 600, clients: 128 };
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let number = args.next().ok_or(USAGE)?;
        match &*arg {
            "--seconds" => options.seconds = number.parse().map_err(|_| USAGE)?,
            "--clients" => options.clients = number.parse().map_err(|_| USAGE)?,
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(options)
}

/// How often each kind went how.
type Outcomes = Arc<Mutex<BTreeMap<(Kind, &'static str), u64>>>;

/// One client after the other, until it is time.
async fn clients(front: std::net::SocketAddr, until: Instant, all: Outcomes) -> Result<(), String> {
    let mut own = BTreeMap::<_, u64>::new();
    let mut went = Ok(());
    while Instant::now() < until && went.is_ok() {
        let kind = Kind::any();
        match client(kind, front).await {
            Ok(how) => *own.entry((kind, how)).or_default() += 1,
            Err(error) => went = Err(error),
        }
    }
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    for (key, count) in own {
        *all.entry(key).or_default() += count;
    }
    went
}

/// The resident memory, at each sixtieth of the time.
async fn watch(began: Instant, seconds: u64) -> Result<Vec<(u64, u64)>, String> {
    let mut curve = Vec::new();
    let step = Duration::from_secs(seconds) / 60;
    for n in 1..=60 {
        tokio::time::sleep_until((began + step * n).into()).await;
        curve.push((began.elapsed().as_secs(), resident()?));
    }
    Ok(curve)
}

/// The middle one of some samples, since each depends on what is in flight.
fn median<'a>(of: impl Iterator<Item = &'a (u64, u64)>) -> u64 {
    let mut of: Vec<_> = of.map(|(_, kib)| *kib).collect();
    of.sort_unstable();
    of.get(of.len() / 2).copied().unwrap_or_default()
}

/// Waits until `left` says that nothing is; what it says in the end where that does not come.
async fn gone(left: impl Fn() -> Result<Option<String>, String>) -> Result<(), String> {
    let began = Instant::now();
    while let Some(left) = left()? {
        if began.elapsed() > GRACE {
            return Err(left);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn soak(options: Options) -> Result<(), String> {
    let told = Told::default();
    tracing::subscriber::set_global_default(told.clone()).map_err(|error| error.to_string())?;
    let metrics = Handle::current().metrics();
    let services = start().await?;
    let [front, ..] = &services;
    let (tasks, open) = (metrics.num_alive_tasks(), sockets()?);

    let began = Instant::now();
    let until = began + Duration::from_secs(options.seconds);
    let outcomes = Outcomes::default();
    let mut running = JoinSet::new();
    for _ in 0..options.clients {
        running.spawn(clients(front.address, until, Arc::clone(&outcomes)));
    }
    let curve = watch(began, options.seconds).await?;
    let mut faults: Vec<_> = running.join_all().await.into_iter().filter_map(Result::err).collect();

    let outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let requests: u64 = outcomes.values().sum();
    let rate = requests as f64 / began.elapsed().as_secs_f64();
    println!("{requests} clients in {} s, {rate:.0} a second", options.seconds);
    for ((kind, how), count) in &outcomes {
        println!("  {:10} {how:6} {count:>9}", format!("{kind:?}"));
    }
    println!("requests by their end, over three services");
    for (end, count) in told.counts() {
        println!("  {count:>9} {end}");
    }
    println!("resident memory, second: KiB");
    for chunk in curve.chunks(10) {
        let row: Vec<_> = chunk.iter().map(|(second, kib)| format!("{second}: {kib}")).collect();
        println!("  {}", row.join("  "));
    }

    // Idle connections of the clients between the services are theirs to keep: they go with what serves them.
    let alive = |service: &Service| {
        let (contexts, tasks) = (service.root.live_children(), service.root.live_tasks());
        (contexts + tasks > 0).then(|| format!("{contexts} contexts and {tasks} tasks are left"))
    };
    if let Err(left) = gone(|| Ok(services.iter().find_map(alive))).await {
        faults.push(left);
    }
    for service in &services {
        service.stop().await;
        service.server.abort();
    }
    drop(services);
    let left = gone(|| {
        let (now, now_open) = (metrics.num_alive_tasks(), sockets()?);
        // Three tasks that accept, and their sockets, have gone too.
        let more = now > tasks.saturating_sub(3) || now_open > open.saturating_sub(3);
        Ok(more.then(|| format!("{now} tasks and {now_open} sockets, {tasks} and {open} before")))
    });
    if let Err(left) = left.await {
        faults.push(left);
    }
    let first = median(curve.iter().skip(6).take(6));
    let last = median(curve.iter().rev().take(6));
    let ratio = last as f64 / first.max(1) as f64;
    println!(
        "memory: {last} KiB, {ratio:.3} times the {first} KiB after the first minute or tenth"
    );
    if ratio > MORE {
        faults.push(format!("memory grew from {first} to {last} KiB"));
    }
    if faults.is_empty() {
        println!("nothing is left");
        Ok(())
    } else {
        Err(faults.join("\n"))
    }
}

fn main() -> Result<ExitCode, String> {
    let options = options()?;
    // A handler that panics says so to nobody.
    std::panic::set_hook(Box::new(|info| {
        if info.payload_as_str() != Some("as a handler does now and then") {
            eprintln!("{info}");
        }
    }));
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    match runtime.block_on(soak(options)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(faults) => {
            eprintln!("{faults}");
            Ok(ExitCode::FAILURE)
        }
    }
}
