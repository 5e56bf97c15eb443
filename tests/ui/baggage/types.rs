//! A field whose type cannot be what the derive makes of it.

use std::borrow::Cow;

use ctxprop::Baggage;

struct Money {
    cents: u64,
}

#[derive(Baggage)]
struct NoText {
    price: Money,
    #[baggage(key = "max.price", max_len = 20)]
    max_price: Option<Money>,
    tags: Vec<String>,
    twice: Option<Option<u64>>,
    path: std::path::PathBuf,
    unit: (),
    id: u64,
}

#[derive(Baggage)]
struct NoDefault {
    #[baggage(skip)]
    skipped: Money,
    #[baggage(default)]
    absent: std::net::IpAddr,
    #[baggage(default = "127.0.0.1")]
    other_type: std::net::IpAddr,
    id: u64,
}

#[derive(Baggage)]
struct Borrowed<'a> {
    name: &'a str,
    region: Option<&'static str>,
    #[baggage(key = "tenant")]
    maybe: Cow<'a, str>,
    // nothing is read into it
    #[baggage(skip)]
    cached: Option<&'a str>,
    id: u64,
}

fn main() {
    let _ = Money { cents: 1 }.cents;
}
