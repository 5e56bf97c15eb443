//! [`Streams`]: runs the tasks of an HTTP/2 connection, one for each stream, so that one stream can be closed alone.

use std::future::Future;
use std::sync::Arc;

use hyper::rt::Executor;

use super::exchange::Stream;

tokio::task_local! {
    /// The stream whose task is being polled. Over HTTP/1 there is none: its requests run in the connection's task.
    static STREAM: Arc<Stream>;
}

/// The stream whose request is handled here, over HTTP/2.
pub(super) fn current() -> Option<Arc<Stream>> {
    STREAM.try_with(Arc::clone).ok()
}

/// What hyper spawns by.
#[derive(Clone, Copy)]
pub(super) struct Streams;

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        // A task that is spawned by a stream's belongs to that stream: it serves what it was upgraded to.
        let stream = current().unwrap_or_default();
        stream.task_began();
        let running = Running(Arc::clone(&stream));
        drop(tokio::spawn(STREAM.scope(Arc::clone(&stream), async move {
            let _running = running;
            // Dropped, what is left of a stream is reset.
            tokio::select! {
                biased;
                _ = future => {}
                () = stream.asked_to_close() => {}
            }
        })));
    }
}

struct Running(Arc<Stream>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.task_ended();
    }
}
