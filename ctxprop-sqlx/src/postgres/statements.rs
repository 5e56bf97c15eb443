//! All SQL that this crate sends, and why each says what it says. No I/O.
//!
//! # Invariants
//! 1. What goes into a text is a number or a [`Tag`], which is hexadecimal: there is nothing to escape.
//! 2. Each is one simple query, so one round trip, in a transaction block or outside of one.
//! 3. In a transaction only `SET LOCAL` is used: it takes no snapshot, so that the user may still choose the isolation
//!    level, and it is gone at the transaction's end, so that a pooler like pgbouncer may give the server to others.

use crate::tag::Tag;

/// What to go back to after each use, kept in the session itself, where it cannot be mixed up with that of another
/// connection. The first column is the user's own `statement_timeout` in milliseconds.
macro_rules! remember {
    () => {
        "SELECT (extract(epoch FROM current_setting('statement_timeout')::interval) * 1000)::bigint, \
         set_config('ctxprop.statement_timeout', current_setting('statement_timeout'), false), \
         set_config('ctxprop.application_name', current_setting('application_name'), false)"
    };
}

/// For a new connection. It also has the server look now and then, while it runs a statement, whether we are still
/// there, unless the user has set that: where a statement can be stopped in no other way, closing the connection stops
/// it. PostgreSQL 14 and later know that; where it is unknown `current_setting(.., true)` is null.
pub(super) const CONNECTED: &str = concat!(
    remember!(),
    ", CASE WHEN current_setting('client_connection_check_interval', true) = '0' \
     THEN set_config('client_connection_check_interval', '100ms', false) END"
);

/// The same for a server that refuses that: it runs on a system that cannot tell.
pub(super) const CONNECTED_BLIND: &str = remember!();

/// The same where nothing may be kept in the session, because it is a pooler's.
pub(super) const CONNECTED_TO_POOLER: &str =
    "SELECT (extract(epoch FROM current_setting('statement_timeout')::interval) * 1000)::bigint";

/// Whether the session is outside of a transaction: there each statement is one of its own, and began with it. In a
/// failed transaction it is an error.
macro_rules! is_idle {
    () => {
        "now() = statement_timestamp()"
    };
}

/// Back to what was at the beginning. An error where that is not known any more (`RESET ALL`).
macro_rules! reset {
    () => {
        "set_config('application_name', current_setting('ctxprop.application_name'), false), \
         set_config('statement_timeout', current_setting('ctxprop.statement_timeout'), false)"
    };
}

/// For a connection that comes back: resets it, and answers whether it is outside of a transaction.
pub(super) const RESET: &str = concat!("SELECT ", is_idle!(), ", ", reset!());

/// The same as an assertion: in a transaction it fails, so that sqlx closes the connection.
pub(super) const RESET_OR_FAIL: &str =
    concat!("SELECT ", reset!(), ", 1 / (", is_idle!(), ")::int");

/// Both for a pooler's session, which has nothing to reset.
pub(super) const CHECK: &str = concat!("SELECT ", is_idle!());
pub(super) const CHECK_OR_FAIL: &str = concat!("SELECT 1 / (", is_idle!(), ")::int");

/// A commit that says whether it was one. In a failed transaction PostgreSQL answers `COMMIT` with a rollback and no
/// error, and outside of one with a warning; here the `SELECT` fails before, with [`NO_TRANSACTION`] in the second case. The
/// `BEGIN` is for sqlx, which counts one transaction too many then, and is rolled back by it; [`COMMITTED`] results have
/// come once the commit is done.
pub(super) const COMMIT: &str = concat!("SELECT 1 / (NOT (", is_idle!(), "))::int; COMMIT; BEGIN");
pub(super) const COMMITTED: usize = 2;
/// A division by zero.
pub(super) const NO_TRANSACTION: &str = "22012";

/// For a connection that is taken: whose it is, and how long its statements may take. A shorter `statement_timeout` of
/// the user's stays. Answers whether the session is outside of a transaction.
pub(super) fn taken(tag: &Tag, millis: Option<i32>) -> String {
    let bound = match millis {
        Some(millis) => format!(
            ", set_config('statement_timeout', (CASE WHEN own.ms BETWEEN 1 AND {millis} THEN own.ms \
             ELSE {millis} END)::text, false) FROM (SELECT (extract(epoch FROM \
             current_setting('statement_timeout')::interval) * 1000)::bigint AS ms) AS own"
        ),
        None => String::new(),
    };
    let idle = is_idle!();
    format!("SELECT {idle}, set_config('application_name', '{tag}', false){bound}")
}

/// Begins a transaction with `begin`, and says in it what [`taken`] says in a session.
pub(super) fn begin(begin: &str, tag: Option<&Tag>, millis: Option<i32>) -> String {
    let mut text = begin.trim_end().trim_end_matches(';').to_owned();
    if let Some(tag) = tag {
        text.push_str(&format!("; SET LOCAL application_name = '{tag}'"));
    }
    if let Some(millis) = millis {
        text.push_str(&format!("; SET LOCAL statement_timeout = {millis}"));
    }
    text
}

/// Stops what a server process runs for `tag`, if it does: whether it did is decided by the server, at the moment it
/// looks, not by us before the request was under way. It answers with a row for each that was told.
pub(super) fn stop(tag: &Tag) -> String {
    // Without `track_activities` the state is not known, and the name is enough.
    format!(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = '{tag}' \
         AND state IN ('active', 'disabled') AND pid <> pg_backend_pid()"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctxprop::{Background, Ctx};

    #[test]
    fn a_transaction_says_whose_it_is_and_keeps_the_users_begin() {
        let tag = Tag::of(&Ctx::background());
        assert_eq!(begin("BEGIN", None, None), "BEGIN");
        assert_eq!(
            begin("BEGIN ISOLATION LEVEL SERIALIZABLE; ", Some(&tag), Some(95)),
            format!(
                "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL application_name = '{tag}'; \
                 SET LOCAL statement_timeout = 95"
            )
        );
    }
}
