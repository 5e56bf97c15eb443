//! Asking a page for its JSON: plain HTTP, for what answers loopback only.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ctxprop_live::model::{Snapshot, VERSION};
use http::header::{ACCEPT, HOST};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::words::plain;

/// What does not answer within this is told so.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than 50,000 pieces of work take.
const LARGEST: usize = 512 << 20;

/// Why nothing is shown.
#[derive(Debug)]
pub(crate) enum Problem {
    NoUrl(String),
    NotPlain(String),
    Unreachable(String, io::Error),
    Silent(String),
    Broken(String, String),
    Refused(String, StatusCode, String),
    NoPage(String),
    NoJson(serde_json::Error),
    OtherVersion(u32),
    NoProcess(u32),
    NotAllowed(u32, io::Error),
    #[cfg_attr(target_os = "linux", expect(dead_code, reason = "there is /proc"))]
    NotHere,
    NoListener(u32),
    NoneAnswers(u32, Vec<(SocketAddr, Problem)>),
    Written(io::Error),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NoUrl(url) => write!(f, "`{url}` is neither a PID nor a URL such as http://127.0.0.1:6060"),
            Problem::NotPlain(url) => write!(
                f,
                "`{url}`: only plain http is asked. Forward a port of that machine: \
                 `ssh -L 6060:127.0.0.1:6060 HOST`, then `ctxprop ps http://127.0.0.1:6060`"
            ),
            Problem::Unreachable(url, error) => write!(f, "{url} cannot be reached: {error}"),
            Problem::Silent(url) => write!(f, "{url} did not answer within {} s", PATIENCE.as_secs()),
            Problem::Broken(url, error) => write!(f, "{url} does not speak HTTP: {error}"),
            Problem::Refused(url, status, text) => write!(f, "{url} answers {status}: {}", text.trim()),
            Problem::NoPage(url) => write!(
                f,
                "{url} answers, and not as `ctxprop_live::router()` does: is it mounted there?"
            ),
            Problem::NoJson(error) => write!(f, "what the process tells cannot be read: {error}"),
            Problem::OtherVersion(version) => write!(
                f,
                "the process tells in version {version}, and this program reads version {VERSION}: \
                 install the `ctxprop-live` that the process has"
            ),
            Problem::NoProcess(pid) => write!(f, "there is no process {pid}"),
            Problem::NotAllowed(pid, error) => write!(
                f,
                "the sockets of process {pid} cannot be read: {error}. Ask as its user, or by its URL"
            ),
            Problem::NotHere => f.write_str(
                "a PID is looked up in /proc, which only Linux has: use a URL, such as http://127.0.0.1:6060",
            ),
            Problem::NoListener(pid) => write!(
                f,
                "process {pid} listens on no TCP port that loopback reaches. Mount `ctxprop_live::router()` on one, \
                 such as 127.0.0.1:6060"
            ),
            Problem::NoneAnswers(pid, tried) => {
                write!(f, "none of the listeners of process {pid} answers as `ctxprop_live::router()` does:")?;
                tried.iter().try_for_each(|(_, problem)| write!(f, "\n  {problem}"))
            }
            Problem::Written(error) => write!(f, "the output cannot be written: {error}"),
        }
    }
}

/// Where a page is.
pub(crate) struct Page {
    /// With `/debug/ctx`.
    url: Uri,
    authority: String,
    host: String,
    port: u16,
}

impl Page {
    pub(crate) fn at(url: &str) -> Result<Page, Problem> {
        let with_scheme =
            if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let no_url = || Problem::NoUrl(url.to_owned());
        let parsed: Uri = with_scheme.parse().map_err(|_| no_url())?;
        if parsed.scheme_str() != Some("http") {
            return Err(Problem::NotPlain(url.to_owned()));
        }
        let authority = parsed.authority().ok_or_else(no_url)?;
        // Neither a PID nor a place: a word.
        if !url.contains("://") && authority.port().is_none() {
            return Err(no_url());
        }
        let path = parsed.path().trim_end_matches('/');
        let path = if path.ends_with("/debug/ctx") {
            path.to_owned()
        } else {
            format!("{path}/debug/ctx")
        };
        let whole = format!("http://{authority}{path}");
        Ok(Page {
            url: whole.parse().map_err(|_| no_url())?,
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.to_string(),
        })
    }

    pub(crate) fn of(address: SocketAddr) -> Result<Page, Problem> {
        Page::at(&format!("http://{address}"))
    }

    /// What is live there.
    pub(crate) async fn look(&self) -> Result<Snapshot, Problem> {
        let url = self.url.to_string();
        match timeout(PATIENCE, self.ask()).await {
            Ok(found) => found,
            Err(_) => Err(Problem::Silent(url)),
        }
    }

    async fn ask(&self) -> Result<Snapshot, Problem> {
        let url = self.url.to_string();
        let unreachable = |error| Problem::Unreachable(url.clone(), error);
        let broken = |error: hyper::Error| Problem::Broken(url.clone(), error.to_string());
        let stream =
            TcpStream::connect((self.host.as_str(), self.port)).await.map_err(unreachable)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // It ends with the answer; what goes wrong with it, the answer tells.
        tokio::spawn(connection);
        let request = Request::get(self.url.path())
            .header(HOST, &self.authority)
            .header(ACCEPT, "application/json")
            .body(Empty::<Bytes>::new())
            .map_err(|_| Problem::NoUrl(url.clone()))?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let body =
            body.map_err(|error| Problem::Broken(url.clone(), error.to_string()))?.to_bytes();
        if status == StatusCode::NOT_FOUND {
            return Err(Problem::NoPage(url));
        }
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body);
            let text: Vec<_> = text.lines().map(plain).collect();
            return Err(Problem::Refused(url, status, text.join("\n")));
        }
        read(&body, url)
    }
}

/// What every version has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

fn read(body: &[u8], url: String) -> Result<Snapshot, Problem> {
    let Ok(Versioned { version }) = serde_json::from_slice(body) else {
        return Err(Problem::NoPage(url));
    };
    if version != VERSION {
        return Err(Problem::OtherVersion(version));
    }
    serde_json::from_slice(body).map_err(Problem::NoJson)
}
