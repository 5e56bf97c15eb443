//! Environment variables as a carrier, for child processes.
//!
//! The names are those of OpenTelemetry's "Environment Variables as Context Propagation Carriers":
//! the field's in upper case, `_` for `-`.
//!
//! # Invariants
//!
//! 1. A budget crosses as the moment `X_DEADLINE` only. A relative one would count from whenever
//!    the child gets to read it, after exec and start-up, and again in each grandchild that
//!    inherits it; and the clock is the same on both sides.
//! 2. What a child is not told it does not inherit from this process either, in the formats that are on.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::process::Command;

use ::http::HeaderValue;
use ::http::header::HeaderName;

use super::carrier::{Extract, Inject, text};
use super::headers::HEADERS;
use crate::field_value::FieldValue;

/// What this process was started with: `TRACEPARENT`, `TRACESTATE`, `BAGGAGE`, `X_DEADLINE` and
/// `X_TRACE_ID`.
///
/// The other side is [`Inject`] for [`Command`]; for that of tokio use its `as_std_mut`. The budget
/// travels as `X_DEADLINE`, the moment at which the parent stops waiting, and never as a number of
/// milliseconds: starting a process takes time that the child would not know of.
///
/// `Debug` tells the names of the variables only.
///
/// # Examples
///
/// In the parent:
///
/// ```no_run
/// use std::process::Command;
///
/// use ctxprop::Ctx;
/// use ctxprop::wire::Formats;
///
/// fn convert(ctx: &Ctx) -> Result<(), Box<dyn std::error::Error>> {
///     let mut command = Command::new("convert");
///     ctx.child_span().inject(&mut command, &Formats::queued())?;
///     command.status()?;
///     Ok(())
/// }
/// ```
///
/// In the child:
///
/// ```
/// use ctxprop::wire::{Environment, Formats};
/// use ctxprop::{Background, Ctx};
///
/// let parent = Formats::queued().extract(&Environment::of_process());
/// let (ctx, _canceller) = Ctx::background().with_incoming(parent);
/// assert!(ctx.span().is_valid());
/// ```
#[derive(Clone, Default)]
pub struct Environment(Vec<(&'static str, OsString)>);

impl Environment {
    /// Copies the variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let value = |(field, variable)| Some((field, std::env::var_os(variable)?));
        Self(variables().filter_map(value).collect())
    }
}

impl Extract for Environment {
    fn lines(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        self.0.iter().map(|(field, value)| (*field, FieldValue::from(value.as_encoded_bytes())))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment ")?;
        f.debug_set().entries(self.0.iter().map(|(field, _)| field)).finish()
    }
}

/// Sets and removes the variables that [`Environment`] reads; other fields have none.
impl Inject for Command {
    fn append(&mut self, name: HeaderName, line: HeaderValue) {
        let Some(variable) = variable(&name) else { return };
        let before = self.get_envs().find(|(name, _)| *name == OsStr::new(variable));
        let mut value = before.and_then(|(_, value)| value).unwrap_or_default().to_owned();
        if !value.is_empty() {
            value.push(",");
        }
        value.push(text(&line));
        self.env(variable, value);
    }

    fn remove(&mut self, name: &HeaderName) {
        if let Some(variable) = variable(name) {
            self.env_remove(variable);
        }
    }
}

/// Field and variable.
fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    HEADERS.iter().filter_map(|header| Some((header.name().as_str(), header.variable?)))
}

fn variable(name: &HeaderName) -> Option<&'static str> {
    variables().find_map(|(field, variable)| (field == name).then_some(variable))
}

#[cfg(test)]
mod tests;
