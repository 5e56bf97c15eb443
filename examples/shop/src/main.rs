//! `shop demo`: starts the whole shop, places one order, and goes down. The other commands are its parts.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ctxprop::{Background, Ctx};
use ctxprop_reqwest::Client;
use shop::NewOrder;
use shop::gateway::Gateway;
use shop::orders::Orders;
use shop::processes::{Broker, House, tell};
use shop::service::{Root, Running};
use shop::stock::Stock;
use shop::worker::Worker;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

const USAGE: &str = "\
usage: shop demo                                   all of it, one order, and its logs
       shop stock   --data DIR
       shop orders  --data DIR --stock URL --nats URL
       shop gateway --stock URL --orders URL --nats URL
       shop worker  --orders URL --nats URL
         each with --listen ADDRESS; stock also with --bank-ms N, how long the bank takes,
         and --never-ends, a job that heeds no shutdown
       shop order   --shop URL --token TOKEN --article N [--key KEY] [--budget-ms N]
       shop watch   --shop URL --token TOKEN --key KEY
       shop upload  --shop URL --token TOKEN --article N FILE";

/// How long the bank takes, at most, unless it was told otherwise.
const BANK: Duration = Duration::from_millis(50);

type Failed = Box<dyn Error + Send + Sync>;

/// The arguments of all commands.
struct Args {
    command: String,
    data: PathBuf,
    listen: SocketAddr,
    stock: String,
    orders: String,
    nats: String,
    shop: String,
    token: String,
    article: i64,
    key: String,
    budget: Option<Duration>,
    bank: Duration,
    never_ends: bool,
    file: PathBuf,
}

fn args() -> Result<Args, lexopt::Error> {
    use lexopt::prelude::*;
    let mut args = Args {
        command: String::new(),
        data: PathBuf::from("."),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        stock: String::new(),
        orders: String::new(),
        nats: "nats://127.0.0.1:4222".to_owned(),
        shop: String::new(),
        token: "alice".to_owned(),
        article: 1,
        key: format!("{:016x}", fastrand::u64(..)),
        budget: None,
        bank: BANK,
        never_ends: false,
        file: PathBuf::new(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("data") => args.data = parser.value()?.into(),
            Long("listen") => args.listen = parser.value()?.parse()?,
            Long("stock") => args.stock = parser.value()?.string()?,
            Long("orders") => args.orders = parser.value()?.string()?,
            Long("nats") => args.nats = parser.value()?.string()?,
            Long("shop") => args.shop = parser.value()?.string()?,
            Long("token") => args.token = parser.value()?.string()?,
            Long("article") => args.article = parser.value()?.parse()?,
            Long("key") => args.key = parser.value()?.string()?,
            Long("budget-ms") => {
                args.budget = Some(Duration::from_millis(parser.value()?.parse()?));
            }
            Long("bank-ms") => args.bank = Duration::from_millis(parser.value()?.parse()?),
            Long("never-ends") => args.never_ends = true,
            Value(command) if args.command.is_empty() => args.command = command.string()?,
            Value(file) => args.file = file.into(),
            _ => return Err(arg.unexpected()),
        }
    }
    Ok(args)
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // Lines go to stderr: stdout is for what was asked for.
    let filter =
        EnvFilter::try_from_env("SHOP_LOG").unwrap_or_else(|_| "info,async_nats=warn".into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(false).init();
    match run(args).await {
        Ok(code) => code,
        Err(error) => {
            let mut text = error.to_string();
            let mut next = error.source();
            while let Some(source) = next {
                text = format!("{text}: {source}");
                next = source.source();
            }
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<ExitCode, Failed> {
    let mut root = Root::new();
    if args.never_ends {
        let job = root.ctx.detach("a report that never ends");
        drop(job.spawn(std::future::pending::<()>()));
        (root.drain, root.unwind) = (Duration::from_millis(200), Duration::from_millis(200));
    }
    let running = match &*args.command {
        "stock" => Stock::open(&args.data, args.bank).await?.serve(root, args.listen).await?,
        "orders" => {
            let orders = Orders::open(&args.data, &args.stock, &args.nats).await?;
            orders.serve(root, args.listen).await?
        }
        "gateway" => {
            let gateway = Gateway::open(&args.orders, &args.stock, &args.nats).await?;
            gateway.serve(root, args.listen).await?
        }
        "worker" => {
            let worker = Worker::open(&args.orders, &args.nats).await?;
            worker.serve(root, args.listen).await?
        }
        "demo" => return demo().await,
        "order" | "watch" | "upload" => return customer(args).await,
        _ => {
            eprintln!("{USAGE}");
            return Ok(ExitCode::from(2));
        }
    };
    serve(running).await
}

/// Until SIGTERM; and then tells what did not end.
async fn serve(running: Running) -> Result<ExitCode, Failed> {
    let mut term = signal(SignalKind::terminate())?;
    println!("listening on {}", running.address);
    term.recv().await;
    let drained = running.stop().await?;
    for request in drained.stragglers() {
        eprintln!("did not end: {request}");
    }
    for task in drained.tasks() {
        eprintln!("did not end: {task}");
    }
    // Whatever is left keeps nobody waiting.
    std::process::exit(i32::from(!drained.is_clean()));
}

async fn customer(args: Args) -> Result<ExitCode, Failed> {
    let client = Client::builder().base_url(&*args.shop).build()?;
    let (ctx, canceller) = Ctx::background().with_cancel();
    // Whoever presses ^C waits no longer: the shop is told by the connection.
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            canceller.cancel();
        }
    });
    let ctx = args.budget.map_or(ctx.clone(), |budget| ctx.with_timeout(budget));
    match &*args.command {
        "order" => {
            let order = NewOrder { key: args.key, article: args.article };
            let (receipt, trace) = shop::order(&client, &args.token, &order).with(&ctx).await?;
            println!("{} is {} for {}, trace {trace}", receipt.key, receipt.state, receipt.price);
        }
        "watch" => {
            let tell = |state: &str| println!("{state}");
            shop::watch(ctx, &client, &args.token, &args.key, tell).await?;
        }
        _ => {
            let upload = shop::upload(&client, &args.token, args.article, &args.file);
            println!("{}", upload.with(&ctx).await?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts all of it, orders, waits until the parcel is on its way, and ends all of it.
async fn demo() -> Result<ExitCode, Failed> {
    let Some(broker) = Broker::start()? else {
        return Err("there is no nats-server here (Debian: apt-get install nats-server)".into());
    };
    let data = std::env::temp_dir().join(format!("shop-{}", std::process::id()));
    std::fs::create_dir_all(&data)?;
    let played = play(&broker, &data).await;
    std::fs::remove_dir_all(&data)?;
    played
}

async fn play(broker: &Broker, data: &Path) -> Result<ExitCode, Failed> {
    let house = House::start(&std::env::current_exe()?, data, &broker.address, BANK, tell)?;
    let client = Client::builder().base_url(&*house.gateway.url).build()?;
    let ctx = Ctx::background().child_span();
    let order = NewOrder { key: "one-book".to_owned(), article: 1 };
    let hurry = ctx.with_timeout(Duration::from_secs(5));
    let (receipt, trace) = shop::order(&client, "alice", &order).with(&hurry).await?;
    tell("client", &format!("{} for {}, trace {trace}", receipt.state, receipt.price));
    shop::watch(ctx, &client, "alice", &order.key, |state| tell("client", state)).await?;
    let clean = tokio::task::spawn_blocking(move || house.end()).await??;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
