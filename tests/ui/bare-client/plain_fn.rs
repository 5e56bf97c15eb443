//! A plain function that is given a context, and the methods of a type.

use ctxprop::{Ctx, propagate};

#[propagate]
fn client(_ctx: &Ctx) -> reqwest::Client {
    reqwest::Client::new()
}

struct Stock;

#[propagate]
impl Stock {
    async fn count(&self) -> bool {
        reqwest::get("http://stock").await.is_ok()
    }
}

fn main() {}
