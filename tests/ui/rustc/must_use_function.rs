//! A `#[must_use]` of a function is told where the function is called, though its type was asked for.

#![deny(unused_must_use)]

use ctxprop::propagate;

#[must_use]
fn pure(text: String) -> String {
    text
}

#[must_use]
fn spawn(text: String) -> String {
    text
}

#[propagate]
async fn unused(text: String) {
    spawn(text);
    pure(String::new());
}

fn main() {
    let _ = unused(String::new());
}
