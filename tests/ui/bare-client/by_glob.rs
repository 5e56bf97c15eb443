//! A client under a name that the body imported with everything else.

use ctxprop::propagate;

#[propagate]
async fn everything() {
    use reqwest::*;
    drop(Client::new());
}

#[propagate]
async fn in_an_inner_block() {
    {
        use reqwest::{self as http, *};
        drop(http::ClientBuilder::new());
        drop(Client::builder());
    }
}

fn main() {}
