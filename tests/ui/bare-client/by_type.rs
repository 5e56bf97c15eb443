//! Clients of reqwest that were imported outside of the body, by their type.

use ctxprop::propagate;
use ctxprop_reqwest as _;
use reqwest::{Client, Client as Http, ClientBuilder};

type Own = reqwest::Client;

mod other_crate {
    pub use reqwest::Client;
}

#[propagate]
async fn imported() {
    let new = Client::new();
    let other = Http::default();
    let own = Own::new();
    let theirs = other_crate::Client::new();
    let built = Client::builder().build();
    let builder = ClientBuilder::new().build();
    let _ = (new, other, own, theirs, built, builder);
}

fn main() {}
