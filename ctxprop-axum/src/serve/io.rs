//! [`Io`]: the socket of a connection, which tells when it is closed, and [`Peer`], by which others see that the other
//! side left.
//!
//! hyper owns the socket and sees the end of what the other side sends only when it reads. It does not read while a
//! handler has not taken the request's body. The operating system tells all who hold the socket, so it is shared.

use std::any::Any;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::exchange::Connection;

/// A socket as hyper has it.
pub(super) struct Io<S> {
    socket: Socket<S>,
    connection: Arc<Connection>,
}

enum Socket<S> {
    Tcp {
        read: OwnedReadHalf,
        write: Arc<OwnedWriteHalf>,
    },
    /// Whatever else a listener gives, such as TLS or a Unix socket. Nobody but its reader sees the other side leave.
    Other(S),
}

/// The other side of a TCP connection.
pub(super) struct Peer(Arc<OwnedWriteHalf>);

/// A socket that has no connection yet.
pub(super) struct Accepted<S>(Socket<S>);

impl<S: 'static> Accepted<S> {
    pub(super) fn new(socket: S) -> Self {
        let mut socket = Some(socket);
        let tcp = (&mut socket as &mut dyn Any).downcast_mut::<Option<TcpStream>>();
        if let Some(tcp) = tcp.and_then(Option::take) {
            let (read, write) = tcp.into_split();
            return Accepted(Socket::Tcp { read, write: Arc::new(write) });
        }
        match socket {
            Some(socket) => Accepted(Socket::Other(socket)),
            None => unreachable!("only a TCP stream is taken out"),
        }
    }

    pub(super) fn peer(&self) -> Option<Peer> {
        match &self.0 {
            Socket::Tcp { write, .. } => Some(Peer(Arc::clone(write))),
            Socket::Other(_) => None,
        }
    }

    pub(super) fn of(self, connection: Arc<Connection>) -> Io<S> {
        Io { socket: self.0, connection }
    }
}

impl<S> Drop for Io<S> {
    fn drop(&mut self) {
        self.connection.closed();
    }
}

impl Peer {
    /// Waits until the other side sends nothing more, whether or not anybody has read what it sent.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) async fn left(self) {
        // What waits for priority data is told of this too, and not of each byte that came and nobody reads.
        loop {
            match self.tcp().ready(Interest::PRIORITY).await {
                Ok(ready) if !ready.is_read_closed() => tokio::task::yield_now().await,
                // It has left, or the socket is of no use any more.
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Waits until the other side sends nothing more, whether or not anybody has read what it sent.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) async fn left(self) {
        // There is no waiting for this alone, so it is looked at now and then.
        const TICK: std::time::Duration = std::time::Duration::from_millis(50);
        loop {
            match self.tcp().ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => tokio::time::sleep(TICK).await,
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn tcp(&self) -> &TcpStream {
        (*self.0).as_ref()
    }
}

fn tcp(write: &Arc<OwnedWriteHalf>) -> &TcpStream {
    (**write).as_ref()
}

impl<S: AsyncRead + Unpin> AsyncRead for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp { read, .. } => Pin::new(read).poll_read(cx, buf),
            Socket::Other(socket) => Pin::new(socket).poll_read(cx, buf),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Io<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.socket {
            Socket::Tcp { write, .. } => poll_io(tcp(write), cx, |tcp| tcp.try_write(buf)),
            Socket::Other(socket) => Pin::new(socket).poll_write(cx, buf),
        };
        self.connection.set_blocked(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.socket {
            Socket::Tcp { write, .. } => {
                poll_io(tcp(write), cx, |tcp| tcp.try_write_vectored(bufs))
            }
            Socket::Other(socket) => Pin::new(socket).poll_write_vectored(cx, bufs),
        };
        self.connection.set_blocked(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Tcp { .. } => true,
            Socket::Other(socket) => socket.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            // Nothing is kept back on this side of the socket.
            Socket::Tcp { .. } => Poll::Ready(Ok(())),
            Socket::Other(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp { write, .. } => {
                match SockRef::from(tcp(write)).shutdown(Shutdown::Write) {
                    Err(error) if error.kind() != io::ErrorKind::NotConnected => {
                        Poll::Ready(Err(error))
                    }
                    // Not connected any more is as shut down as can be.
                    Ok(()) | Err(_) => Poll::Ready(Ok(())),
                }
            }
            Socket::Other(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}

fn poll_io(
    tcp: &TcpStream,
    cx: &mut Context<'_>,
    mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(tcp.poll_write_ready(cx))?;
        match write(tcp) {
            // The wait above is then a real one.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => return Poll::Ready(written),
        }
    }
}
