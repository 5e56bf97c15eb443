//! A PostgreSQL server of the test's own, on loopback, with a data directory of its own; and small helpers.
//!
//! The tests of one file share a server, each in a database of its own; they are skipped, with a message, where there
//! is none to start. A shell holds the server: it stops it, and removes its directory, as soon as nobody holds the
//! shell's input any more, be it because the test's process is gone.

#![allow(dead_code, reason = "each test uses a part of it")]

#[path = "log.rs"]
pub(crate) mod log;
#[path = "pgbouncer.rs"]
pub(crate) mod pgbouncer;
#[path = "proxy.rs"]
pub(crate) mod proxy;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};

use ctxprop::{Background, Ctx};
use ctxprop_sqlx::{PgPool, WithCtx};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};

/// Says why a test does nothing here.
pub(crate) fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

/// `$2` is a port, `$1` the directory of the server's programs.
const SCRIPT: &str = r#"
set -eu
PATH="$1:$PATH"; port=$2; shift 2
dir=$(mktemp -d /tmp/ctxprop-pg.XXXXXX)
trap 'pg_ctl -D "$dir" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
initdb -D "$dir" -A trust -U postgres --no-sync --locale=C -E UTF8 >/dev/null
cat >>"$dir/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir'
fsync = off
max_connections = 60
log_min_messages = warning
END
up() { pg_ctl -D "$dir" -l "$dir/log" -w -t 60 start >/dev/null && echo ready; }
up
while read -r order; do
  case $order in
    stop) pg_ctl -D "$dir" -m fast -w stop >/dev/null && echo stopped ;;
    start) up ;;
  esac
done
"#;

/// A database of the test's own.
pub(crate) struct Server {
    pub(crate) port: u16,
    database: String,
    process: Option<Process>,
}

/// The shell that holds a server.
struct Process {
    port: u16,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// Where the programs are: the newest of Debian's, or the `PATH`.
fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.reverse();
    found.extend(std::env::split_paths(&path));
    found.into_iter().find(|dir| dir.join("initdb").exists() && dir.join("pg_ctl").exists())
}

pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n")
}

/// A port that was free a moment ago. Two tests of this process never get the same one.
pub(crate) fn free_port() -> u16 {
    static TAKEN: OnceLock<Mutex<Vec<u16>>> = OnceLock::new();
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut taken = TAKEN.get_or_init(Mutex::default).lock().unwrap();
        if !taken.contains(&port) {
            taken.push(port);
            return port;
        }
    }
}

/// `program` as a user that is not root, as PostgreSQL demands.
pub(crate) fn as_postgres(program: &str) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", program]);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/tmp");
    command
}

impl Process {
    fn start() -> Option<Process> {
        log::start();
        let Some(programs) = programs() else {
            skip("no PostgreSQL here (Debian's package `postgresql`)");
            return None;
        };
        let port = free_port();
        let mut child = as_postgres("sh")
            .args(["-c", SCRIPT, "server"])
            .arg(programs)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut process = Process { port, child, orders, answers };
        if !process.answers("ready") {
            skip("PostgreSQL does not start here (as the user `postgres`)");
            return None;
        }
        Some(process)
    }

    fn answers(&mut self, expected: &str) -> bool {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).is_ok() && answer.trim() == expected
    }

    fn order(&mut self, order: &str, answer: &str) {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
        assert!(self.answers(answer), "the server does not {order}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}

impl Server {
    /// The server that all tests of this file share.
    pub(crate) async fn start() -> Option<Server> {
        static SHARED: OnceLock<Option<Process>> = OnceLock::new();
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let port = SHARED.get_or_init(Process::start).as_ref()?.port;
        let database = format!("test_{}", NEXT.fetch_add(1, Relaxed));
        let mut admin = PgConnection::connect_with(&options(port)).await.unwrap();
        // The template is copied by one at a time.
        sqlx::query("SELECT pg_advisory_lock(1)").execute(&mut admin).await.unwrap();
        sqlx::query(&format!("CREATE DATABASE {database}")).execute(&mut admin).await.unwrap();
        admin.close().await.unwrap();
        Some(Server { port, database, process: None })
    }

    /// One that the test may stop and start.
    pub(crate) fn start_own() -> Option<Server> {
        let process = Process::start()?;
        let database = "postgres".to_owned();
        Some(Server { port: process.port, database, process: Some(process) })
    }

    pub(crate) fn stop(&mut self) {
        self.process.as_mut().unwrap().order("stop", "stopped");
    }

    pub(crate) fn start_again(&mut self) {
        self.process.as_mut().unwrap().order("start", "ready");
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        self.reach(self.port)
    }

    /// Through what listens at `port` before the server.
    pub(crate) fn reach(&self, port: u16) -> PgConnectOptions {
        options(port).database(&self.database)
    }

    /// A connection beside the pool, to look at the server.
    pub(crate) async fn admin(&self) -> PgConnection {
        PgConnection::connect_with(&self.options().application_name("admin")).await.unwrap()
    }

    pub(crate) async fn pool(&self, connections: u32) -> PgPool {
        pool(self.options(), connections).await
    }
}

/// How to reach a server, or what stands before it, at `port`.
pub(crate) fn options(port: u16) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username("postgres")
        .database("postgres")
        .application_name("the service")
        .disable_statement_logging()
}

pub(crate) async fn pool(options: PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .with_ctx()
        .connect_with(options)
        .await
        .unwrap()
}

/// A root of the test's own.
pub(crate) fn root() -> Ctx {
    Ctx::background()
}

/// Waits until `question`, which answers with one boolean, is answered with yes.
pub(crate) async fn until(conn: &mut PgConnection, question: &str) {
    while !sqlx::query_scalar::<_, bool>(question).fetch_one(&mut *conn).await.unwrap() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// Waits until all connections of a pool are back.
pub(crate) async fn at_rest(pool: &PgPool) {
    while pool.num_idle() != pool.size() as usize {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}
