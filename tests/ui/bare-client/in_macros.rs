//! Inside of macros, those that are known and those that nobody can parse.

use ctxprop::propagate;

macro_rules! later {
    (do $call:expr) => {
        $call
    };
}

#[propagate]
async fn known() {
    println!("{:?}", vec![reqwest::Client::new()]);
}

#[propagate]
async fn unknown() {
    later!(do drop(reqwest::Client::builder()));
}

fn main() {}
