//! The shop as processes: a broker, and each service on its own, started, told to go, and waited for.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// NATS' server, on any free port, for as long as this lives.
#[derive(Debug)]
pub struct Broker {
    server: Child,
    /// Where it is.
    pub address: String,
}

impl Broker {
    /// Starts one. `None` where there is no `nats-server` (Debian: `apt-get install nats-server`).
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start() -> io::Result<Option<Broker>> {
        let spawn = |program: &&str| {
            let mut command = Command::new(program);
            command.args(["--addr", "127.0.0.1", "--port", "-1"]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()
        };
        let found = ["nats-server", "/usr/sbin/nats-server"].iter().find_map(spawn);
        let Some(mut server) = found else { return Ok(None) };
        let mut log = BufReader::new(server.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?);
        let mut address = None;
        let mut line = String::new();
        while !line.contains("Server is ready") {
            line.clear();
            if log.read_line(&mut line)? == 0 {
                return Err(io::Error::other("nats-server does not start"));
            }
            if let Some((_, found)) = line.split_once("Listening for client connections on ") {
                address = Some(found.trim().to_owned());
            }
        }
        // Somebody must read on, or the server would block.
        std::thread::spawn(move || io::copy(&mut log, &mut io::sink()));
        let address = address.ok_or_else(|| io::Error::other("nats-server has no address"))?;
        Ok(Some(Broker { server, address }))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        stop(&mut self.server);
    }
}

fn stop(child: &mut Child) {
    // It may be gone already.
    if child.kill().is_ok() {
        drop(child.wait());
    }
}

/// One service; killed where it was not told to go.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// `http://` and where it listens.
    pub url: String,
}

impl Process {
    /// Starts `program` (this one) with these arguments, waits until it listens, and gives each line that it logs to `log`.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start(
        program: &Path,
        args: &[&str],
        mut log: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<Process> {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let lines = BufReader::new(child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?);
        std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(|line| log(&line)));
        let mut out = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
        let mut line = String::new();
        out.read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("listening on ") else {
            stop(&mut child);
            return Err(io::Error::other(format!("{args:?} does not start")));
        };
        Ok(Process { url: format!("http://{address}"), child })
    }

    /// Tells it to go, as whoever rolls out a new version does: SIGTERM.
    ///
    /// # Errors
    ///
    /// There is no program `kill`.
    pub fn terminate(&mut self) -> io::Result<()> {
        // The number of one that has gone may be another's by now.
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().map(drop)
    }

    /// Kills it: SIGKILL.
    ///
    /// # Errors
    ///
    /// It cannot be killed.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()
    }

    /// Waits until it has gone.
    ///
    /// # Errors
    ///
    /// It cannot be waited for.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

/// All of the shop.
#[derive(Debug)]
pub struct House {
    /// The one that strangers call.
    pub gateway: Process,
    /// The one of `orders.rs`.
    pub orders: Process,
    /// The one of `worker.rs`.
    pub worker: Process,
    /// The one of `stock.rs`.
    pub stock: Process,
}

impl House {
    /// Starts all of it, with its data in this folder and a bank that takes up to so long. Each line of a log is given to `log`, with the name of its service.
    ///
    /// # Errors
    ///
    /// One does not start.
    pub fn start(
        program: &Path,
        data: &Path,
        nats: &str,
        bank: Duration,
        log: impl Fn(&str, &str) + Clone + Send + 'static,
    ) -> io::Result<House> {
        let data = data.to_str().ok_or(io::ErrorKind::InvalidInput)?;
        let start = |name: &'static str, args: &[&str]| {
            let log = log.clone();
            Process::start(program, &[&[name], args].concat(), move |line| log(name, line))
        };
        let bank = bank.as_millis().to_string();
        let stock = start("stock", &["--data", data, "--bank-ms", &bank])?;
        let urls = ["--data", data, "--nats", nats, "--stock", &stock.url];
        let orders = start("orders", &urls)?;
        let worker = start("worker", &["--nats", nats, "--orders", &orders.url])?;
        let urls = ["--nats", nats, "--stock", &stock.url, "--orders", &orders.url];
        let gateway = start("gateway", &urls)?;
        Ok(House { gateway, orders, worker, stock })
    }

    /// Tells all of them to go, each when those that call it have gone. Whether all of them ended as they should.
    ///
    /// # Errors
    ///
    /// One cannot be told, or waited for.
    pub fn end(mut self) -> io::Result<bool> {
        let mut all = [&mut self.gateway, &mut self.worker, &mut self.orders, &mut self.stock];
        let mut clean = true;
        for process in &mut all {
            process.terminate()?;
            clean &= process.wait()?.success();
        }
        Ok(clean)
    }
}

/// What `shop demo` prints of each line of a log.
pub fn tell(service: &str, line: &str) {
    // Nobody reads: there is nobody to be told.
    drop(writeln!(io::stdout().lock(), "{service:>7} | {line}"));
}
