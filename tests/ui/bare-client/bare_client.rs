//! Clients that send nothing of the context.

use ctxprop::propagate;

#[propagate]
async fn by_path() {
    let got = reqwest::get("http://stock");
    let new = ::reqwest::Client::new();
    let built = reqwest::Client::builder().build();
    let default = <reqwest::Client as Default>::default();
    let builder = reqwest::ClientBuilder::new();
    let _ = (got, new, built, default, builder);
}

#[propagate]
async fn imported() {
    use reqwest::{Client, Client as Http, get as fetch};
    type Own = Client;
    let clients = [Client::new(), Http::default(), Own::new()];
    let later = || fetch("http://stock");
    let _ = (clients, later);
}

#[propagate]
async fn blocking() {
    let _ = async { println!("{:?}", reqwest::blocking::get("http://stock")) };
}

fn main() {}
