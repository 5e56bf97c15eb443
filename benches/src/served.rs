//! A router behind `axum::serve`, over a pipe in memory and a connection that is kept: all of a request but the kernel.

use std::future::pending;
use std::io;

use axum::Router;
use axum::serve::Listener;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};

/// Accepts one connection, which is there already.
struct Pipe(Option<DuplexStream>);

impl Listener for Pipe {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.take() {
            Some(end) => (end, ()),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A client's end of a connection to a router that is being served, and the runtime of both.
#[derive(Debug)]
pub struct Served {
    runtime: Runtime,
    client: DuplexStream,
}

impl Served {
    /// Serves `app` in a runtime of this thread.
    ///
    /// # Errors
    ///
    /// There is no runtime to be had.
    pub fn new(app: Router) -> io::Result<Served> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (client, server) = duplex(64 * 1024);
        drop(runtime.spawn(async move { axum::serve(Pipe(Some(server)), app).await }));
        Ok(Served { runtime, client })
    }

    /// Sends `request` so many times, each once the response to the one before has come, whose body is `body`.
    ///
    /// # Errors
    ///
    /// The server hung up.
    pub fn request(&mut self, request: &[u8], body: &[u8], rounds: u64) -> io::Result<()> {
        let Served { runtime, client } = self;
        runtime.block_on(async {
            let mut read = vec![0; 4_096];
            for _ in 0..rounds {
                client.write_all(request).await?;
                let mut length = 0;
                while !read[..length].ends_with(body) {
                    match client.read(&mut read[length..]).await? {
                        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        more => length += more,
                    }
                }
            }
            Ok(())
        })
    }
}

/// A request with the headers of a hop: a trace, `timeout` of it, and so many entries of baggage.
#[must_use]
pub fn request(path: &str, entries: usize, timeout: Option<u32>) -> Vec<u8> {
    let mut text = format!("GET {path} HTTP/1.1\r\nhost: hello\r\n");
    text.push_str("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n");
    if let Some(timeout) = timeout {
        text.push_str(&format!("x-timeout-ms: {timeout}\r\n"));
    }
    if entries > 0 {
        text.push_str(&format!("baggage: {}\r\n", baggage(entries)));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// A line of so many entries.
#[must_use]
pub fn baggage(entries: usize) -> String {
    let entries: Vec<_> = (0..entries).map(|n| format!("entry{n:02}=valueof{n:02}")).collect();
    entries.join(",")
}
