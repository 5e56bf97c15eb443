//! What a connection and a query cost the client, and a transaction: instructions with sqlx as it is, and with contexts.
//!
//! `cargo run --release -p ctxprop-sqlx --example cost` starts a PostgreSQL of its own and counts with valgrind. Round trips
//! are counted, and held, by the test `it_costs_no_round_trip`.
#![allow(clippy::unwrap_used, reason = "it measures, and serves nobody")]

#[path = "../tests/support/common.rs"]
mod common;

use std::process::Command;
use std::time::Duration;

use common::{Server, at_rest, root, skip};
use sqlx::postgres::PgPoolOptions;

const QUERY: &str = "SELECT $1::int";
/// The difference between the two is what the rest costs, without starting up.
const TIMES: [u64; 2] = [200, 600];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match &args[..] {
        [what, times, port, database] => {
            let options = common::options(port.parse().unwrap()).database(database);
            runtime.block_on(work(what, times.parse().unwrap(), options));
        }
        _ => runtime.block_on(measure()),
    }
}

async fn measure() {
    let Some(server) = Server::start().await else { return };
    for what in ["sqlx query", "ctx query", "sqlx transaction", "ctx transaction"] {
        let Some([few, many]) = counted(what, &server) else {
            return skip("no valgrind here");
        };
        println!("{what:16} {:>8} instructions", (many - few) / (TIMES[1] - TIMES[0]));
    }
}

fn counted(what: &str, server: &Server) -> Option<[u64; 2]> {
    let mut counts = [0; 2];
    for (count, times) in counts.iter_mut().zip(TIMES) {
        let run = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().unwrap())
            .args([what, &times.to_string(), &server.port.to_string(), server.database()])
            .output()
            .ok()?;
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(run.status.success(), "{said}");
        *count = said.split("Collected : ").nth(1)?.split_whitespace().next()?.parse().ok()?;
    }
    Some(counts)
}

async fn work(what: &str, times: u64, options: sqlx::postgres::PgConnectOptions) {
    let ours = common::pool(options.clone(), 1).await;
    let theirs = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let ctx = root().child_span().with_timeout(Duration::from_secs(3_600));
    for _ in 0..times {
        match what {
            "sqlx query" => drop(sqlx::query(QUERY).bind(1).execute(&theirs).await.unwrap()),
            "ctx query" => {
                let query = async { sqlx::query(QUERY).bind(1).execute(&ours).await };
                ctx.scope(query).await.unwrap();
            }
            "sqlx transaction" => {
                let mut tx = theirs.begin().await.unwrap();
                sqlx::query(QUERY).bind(1).execute(&mut *tx).await.unwrap();
                tx.commit().await.unwrap();
            }
            _ => {
                let transaction = async {
                    let mut tx = ours.begin().await.unwrap();
                    sqlx::query(QUERY).bind(1).execute(&mut tx).await.unwrap();
                    tx.commit().await.unwrap();
                };
                ctx.scope(transaction).await;
            }
        }
    }
    // What a connection costs that goes back is part of it: the next one waits for that.
    at_rest(&ours).await;
}
