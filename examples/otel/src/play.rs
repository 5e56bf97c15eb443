//! Starts the three services and places an order.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use ctxprop::{Background, Ctx, propagate};

use crate::services::{Order, Receipt};

/// A service in a process of its own, which goes down when this is dropped.
struct Service {
    child: Child,
    /// Read to its end, so that its logs do not fill the pipe.
    logs: Option<std::thread::JoinHandle<()>>,
    url: String,
}

impl Service {
    fn start(service: &str, next: Option<&str>) -> Result<Service, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", service])
            .args(next)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout);
        let mut url = String::new();
        lines.read_line(&mut url)?;
        let logs = std::thread::spawn(move || print(lines));
        Ok(Service { child, logs: Some(logs), url: url.trim_end().to_owned() })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            eprintln!("a service did not go down: {error}");
        }
        if self.logs.take().is_some_and(|logs| logs.join().is_err()) {
            eprintln!("the logs of a service were not read");
        }
    }
}

fn print(lines: BufReader<ChildStdout>) {
    for line in lines.lines().map_while(Result::ok) {
        println!("{line}");
    }
}

pub(crate) fn play() -> Result<(), Box<dyn Error>> {
    let orders = Service::start("orders", None)?;
    let auth = Service::start("auth", Some(&orders.url))?;
    let gateway = Service::start("gateway", Some(&auth.url))?;
    let ctx = Ctx::background().child_span();
    let placed = tokio::runtime::Runtime::new()?.block_on(place(&gateway.url).with(&ctx));
    let receipt = placed?;
    println!("a {} for user {}: trace {}", receipt.item, receipt.user_id, ctx.span().trace_id());
    Ok(())
}

#[propagate]
async fn place(gateway: &str) -> Result<Receipt, Box<dyn Error>> {
    let client = ctxprop_reqwest::Client::new();
    let order = Order { item: "book".to_owned() };
    Ok(client.post(format!("{gateway}/checkout")).json(&order).send().await?.json().await?)
}
