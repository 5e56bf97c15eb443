//! Clients of every kind. Each makes one request on a connection of its own, as its kind does, and tells what became of
//! it; what a kind expects is checked, so that traffic that fails is not taken for traffic.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bombs::{BOMBS, line};
use crate::soak::services::BUDGET;

/// How long anything may take before it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Through all three.
    Normal,
    /// With less time than the work takes.
    Expired,
    /// Leaves while the last service works.
    Vanishes,
    /// Reads a body of many frames.
    Streams,
    /// Reads no more of a body without an end, and leaves when its time is over.
    Stalls,
    /// Makes a handler panic.
    Panics,
    /// A WebSocket that echoes.
    Upgrades,
    /// Tasks that end with the request, and tasks that do not.
    Spawns,
    /// Headers of a stranger.
    Hostile,
}

/// All of them, as often as they come.
const MIX: [Kind; 20] = [
    Kind::Normal,
    Kind::Normal,
    Kind::Normal,
    Kind::Normal,
    Kind::Normal,
    Kind::Normal,
    Kind::Spawns,
    Kind::Spawns,
    Kind::Spawns,
    Kind::Streams,
    Kind::Streams,
    Kind::Hostile,
    Kind::Hostile,
    Kind::Expired,
    Kind::Expired,
    Kind::Vanishes,
    Kind::Vanishes,
    Kind::Panics,
    Kind::Upgrades,
    Kind::Stalls,
];

impl Kind {
    /// One at random.
    #[must_use]
    pub fn any() -> Kind {
        MIX[fastrand::usize(..MIX.len())]
    }
}

/// One client. What it gives is how it went, in a word.
///
/// # Errors
///
/// It did not go as its kind does.
pub async fn client(kind: Kind, front: SocketAddr) -> Result<&'static str, String> {
    let went = timeout(PATIENCE, converse(kind, front)).await;
    went.map_err(|_| format!("{kind:?} hangs"))?.map_err(|error| format!("{kind:?}: {error}"))
}

async fn converse(kind: Kind, front: SocketAddr) -> Result<&'static str, String> {
    let mut stream = TcpStream::connect(front).await.map_err(|error| error.to_string())?;
    match kind {
        Kind::Normal => whole(&mut stream, "/work", b"baggage: tenant=acme\r\n", &[200, 504]).await,
        Kind::Spawns => whole(&mut stream, "/spawns", b"", &[200, 504]).await,
        Kind::Streams => whole(&mut stream, "/stream", b"", &[200]).await,
        Kind::Panics => whole(&mut stream, "/panic", b"", &[500]).await,
        Kind::Expired => whole(&mut stream, "/slow", b"x-timeout-ms: 15\r\n", &[504]).await,
        Kind::Hostile => {
            let (name, piece) = BOMBS[fastrand::usize(..BOMBS.len())];
            let mut headers = Vec::new();
            for _ in 0..4 {
                headers.extend_from_slice(name.as_bytes());
                headers.extend_from_slice(b": ");
                headers.extend_from_slice(line(piece, 2_048).as_bytes());
                headers.extend_from_slice(b"\r\n");
            }
            // What is believed of it may be a budget of nothing.
            whole(&mut stream, "/work", &headers, &[200, 504]).await
        }
        Kind::Vanishes => {
            ask(&mut stream, "/slow", b"").await?;
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1..40))).await;
            Ok("left")
        }
        Kind::Stalls => {
            ask(&mut stream, "/flood", b"x-timeout-ms: 40\r\n").await?;
            let mut some = Vec::new();
            let (status, _) = head(&mut stream, &mut some).await?;
            if status != 200 {
                return if status == 504 { Ok("504") } else { Err(format!("status {status}")) };
            }
            while some.len() < 1_024 {
                if stream.read_buf(&mut some).await.map_err(|error| error.to_string())? == 0 {
                    // The budget was over before that much.
                    return Ok("cut");
                }
            }
            tokio::time::sleep(BUDGET / 4).await;
            Ok("left")
        }
        Kind::Upgrades => echo(&mut stream).await,
    }
}

async fn ask(stream: &mut TcpStream, path: &str, headers: &[u8]) -> Result<(), String> {
    let mut request = format!("GET {path} HTTP/1.1\r\nhost: front\r\n").into_bytes();
    request.extend_from_slice(headers);
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.map_err(|error| error.to_string())
}

/// Reads the head of an answer; what has come of its body goes into `rest`.
async fn head(stream: &mut TcpStream, rest: &mut Vec<u8>) -> Result<(u16, String), String> {
    loop {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let body = rest.split_off(end + 4);
            let text = String::from_utf8_lossy(rest).to_ascii_lowercase();
            *rest = body;
            let status = text.get(9..12).and_then(|status| status.parse().ok());
            return Ok((status.ok_or("no status")?, text));
        }
        if stream.read_buf(rest).await.map_err(|error| error.to_string())? == 0 {
            return Err("no answer".to_owned());
        }
    }
}

/// A request and its whole answer, which must have one of these statuses.
async fn whole(
    stream: &mut TcpStream,
    path: &str,
    headers: &[u8],
    expected: &[u16],
) -> Result<&'static str, String> {
    ask(stream, path, headers).await?;
    let mut body = Vec::new();
    let (status, head) = head(stream, &mut body).await?;
    if !expected.contains(&status) {
        return Err(format!("status {status}"));
    }
    let length = head.split_once("content-length: ").and_then(|(_, rest)| {
        rest.split("\r\n").next().and_then(|length| length.parse::<usize>().ok())
    });
    loop {
        let over = match length {
            Some(length) => body.len() >= length,
            None => body.ends_with(b"0\r\n\r\n"),
        };
        if over {
            break;
        }
        if stream.read_buf(&mut body).await.map_err(|error| error.to_string())? == 0 {
            // The budget was over before the body.
            return Ok("cut");
        }
    }
    Ok(match status {
        200 => "200",
        500 => "500",
        504 => "504",
        _ => "other",
    })
}

async fn echo(stream: &mut TcpStream) -> Result<&'static str, String> {
    let upgrade = b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    ask(stream, "/ws", upgrade).await?;
    let mut rest = Vec::new();
    let (status, _) = head(stream, &mut rest).await?;
    if status != 101 {
        return Err(format!("status {status}"));
    }
    // RFC 6455, section 5.2: a masked text, by a mask of zeros, and the same back without one.
    let said = *b"\x81\x84\0\0\0\0ping";
    let mut is_there = stream.write_all(&said).await.is_ok();
    while is_there && rest.len() < 6 {
        is_there = stream.read_buf(&mut rest).await.is_ok_and(|more| more > 0);
    }
    if !is_there {
        // The budget was over before the echo.
        return Ok("cut");
    }
    if rest != b"\x81\x04ping" {
        return Err(format!("{rest:?} came back"));
    }
    Ok("101")
}
