//! What a commit that did not succeed means: [`CommitError`].

use std::{error, fmt, io};

use ctxprop::Cancelled;

use super::claim::error_of;
use super::sqlx::Error;

/// Why a transaction is not known to be committed. Only [`Unknown`](CommitError::Unknown) leaves open whether it is.
///
/// It is also the error of whole functions that work in a transaction: `?` makes one of sqlx's errors and of
/// [`Cancelled`].
#[derive(Debug)]
#[non_exhaustive]
pub enum CommitError {
    /// The context ended before the commit was sent: it is rolled back.
    Cancelled(Cancelled),
    /// The server refused, or something failed before: it is rolled back.
    Failed(Error),
    /// The commit was sent, and its answer did not come: it is committed, or it is not. What is to be done once, and
    /// may be repeated now, needs a key of its own (an idempotency key) by which the server knows it again.
    Unknown(Option<Error>),
}

impl CommitError {
    /// Whether the transaction may be committed.
    pub fn is_unknown(&self) -> bool {
        matches!(self, CommitError::Unknown(_))
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommitError::Cancelled(cancelled) => write!(f, "not committed: {cancelled}"),
            CommitError::Failed(error) => write!(f, "not committed: {error}"),
            CommitError::Unknown(_) => {
                f.write_str("the answer to a commit was lost: it may be committed, or not")
            }
        }
    }
}

impl error::Error for CommitError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            CommitError::Cancelled(cancelled) => Some(cancelled),
            CommitError::Failed(error) => Some(error),
            CommitError::Unknown(error) => error.as_ref().map(|error| error as _),
        }
    }
}

/// For functions that work in a transaction.
impl From<Error> for CommitError {
    fn from(error: Error) -> Self {
        CommitError::Failed(error)
    }
}

impl From<Cancelled> for CommitError {
    fn from(cancelled: Cancelled) -> Self {
        CommitError::Cancelled(cancelled)
    }
}

/// For functions whose error is sqlx's: an unknown commit is an [`Error::Io`] with the [`CommitError`] inside.
impl From<CommitError> for Error {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Cancelled(cancelled) => error_of(cancelled),
            CommitError::Failed(error) => error,
            unknown => Error::Io(io::Error::other(unknown)),
        }
    }
}
