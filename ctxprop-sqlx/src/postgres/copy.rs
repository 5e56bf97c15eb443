//! `COPY` on a connection and in a transaction: sqlx's own, and noted.
//!
//! sqlx does not count what is still to come of a `COPY` that is dropped halfway: the connection looks as if all that was sent
//! had been answered. So `settle.rs` is told of each, and looks closer.
//!
//! # Invariants
//! 1. It is noted before anything is sent, and forgotten only where all of it has come.

use bytes::Bytes;
use ctxprop::Ctx;
use futures_core::stream::BoxStream;
use futures_util::stream::{StreamExt, poll_fn};

use super::claim::bounded;
use super::connection::PoolConnection;
use super::sqlx::{Error, PgConnection, PgCopyIn};
use super::transaction::Transaction;

impl PoolConnection {
    /// sqlx's `copy_in_raw`, for `COPY .. FROM STDIN`.
    ///
    /// # Errors
    ///
    /// Those of the server, and [`Cancelled`](ctxprop::Cancelled) inside where the context ends.
    ///
    /// # Cancel safety
    ///
    /// Where it, or what it returns, is dropped before its end, nothing was copied; the connection is closed once it goes
    /// back. Give it back after that: sqlx finds the rest of the `COPY` in the place of the next answer.
    pub async fn copy_in_raw(
        &mut self,
        statement: &str,
    ) -> Result<PgCopyIn<&mut PgConnection>, Error> {
        let (conn, copies) = self.copying();
        *copies = true;
        bounded(Ctx::try_current(), conn.copy_in_raw(statement)).await
    }

    /// sqlx's `copy_out_raw`, for `COPY .. TO STDOUT`.
    ///
    /// # Errors
    ///
    /// As [`copy_in_raw`](Self::copy_in_raw).
    ///
    /// # Cancel safety
    ///
    /// Where it, or the stream, is dropped before its end, the server is asked to stop, and the connection is closed once it
    /// goes back. Give it back after that: sqlx finds the rest of the `COPY` in the place of the next answer.
    pub async fn copy_out_raw<'c>(
        &'c mut self,
        statement: &str,
    ) -> Result<BoxStream<'c, Result<Bytes, Error>>, Error> {
        let (conn, copies) = self.copying();
        *copies = true;
        let mut out = bounded(Ctx::try_current(), conn.copy_out_raw(statement)).await?;
        let noted = poll_fn(move |cx| {
            let next = out.poll_next_unpin(cx);
            if let std::task::Poll::Ready(None) = next {
                *copies = false;
            }
            next
        });
        Ok(noted.boxed())
    }
}

impl Transaction {
    /// sqlx's `copy_in_raw`, as that of a [`PoolConnection`].
    ///
    /// # Errors
    ///
    /// As [`PoolConnection::copy_in_raw`].
    ///
    /// # Cancel safety
    ///
    /// As [`PoolConnection::copy_in_raw`].
    pub async fn copy_in_raw(
        &mut self,
        statement: &str,
    ) -> Result<PgCopyIn<&mut PgConnection>, Error> {
        self.check()?;
        self.connection().copy_in_raw(statement).await
    }

    /// sqlx's `copy_out_raw`, as that of a [`PoolConnection`].
    ///
    /// # Errors
    ///
    /// As [`PoolConnection::copy_out_raw`].
    ///
    /// # Cancel safety
    ///
    /// As [`PoolConnection::copy_out_raw`].
    pub async fn copy_out_raw<'c>(
        &'c mut self,
        statement: &str,
    ) -> Result<BoxStream<'c, Result<Bytes, Error>>, Error> {
        self.check()?;
        self.connection().copy_out_raw(statement).await
    }
}
