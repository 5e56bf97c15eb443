//! What a context is: nodes, each of which adds something to its parent, and how the end of one counts for those below.
//! This floor knows nothing of scopes and tasks: whoever waits leaves a waker.

mod callbacks;
pub(crate) mod canceller;
pub(crate) mod ctx;
pub(crate) mod deadline;
mod debug;
mod detach;
mod dispatch;
mod drive;
mod ended;
mod handle;
pub(crate) mod header;

mod node;
pub(crate) mod observed;
pub(crate) mod on_done;
mod outside;
mod part;
pub(crate) mod tasks;
mod token;
mod travels;
mod value;
