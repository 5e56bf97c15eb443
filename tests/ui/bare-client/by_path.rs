//! Clients of reqwest by their full path, or as the body imports them.

use ctxprop::propagate;

#[propagate]
async fn by_path() {
    let new = reqwest::Client::new();
    let _ = reqwest::get("http://a.example").await;
    drop(new);
}

#[propagate]
async fn imported_here() {
    use reqwest::Client as Http;
    drop(Http::builder());
}

#[propagate]
async fn qualified() {
    drop(<reqwest::Client>::default());
}

fn main() {
    let _ = (by_path(), imported_here(), qualified());
}
