//! A client that something else is to make.

use ctxprop::propagate;

#[propagate]
async fn cached(client: Option<reqwest::Client>) -> reqwest::Client {
    client.unwrap_or_else(reqwest::Client::new)
}

#[propagate]
async fn fetched(urls: Vec<String>) -> usize {
    urls.into_iter().map(reqwest::get::<String>).count()
}

fn main() {}
