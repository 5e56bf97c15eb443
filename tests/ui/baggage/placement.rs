//! What `#[derive(Baggage)]` is not for.

use ctxprop::Baggage;

#[derive(Baggage)]
enum Tier {
    Free,
    Gold,
}

#[derive(Baggage)]
union Number {
    signed: i64,
    unsigned: u64,
}

#[derive(Baggage)]
struct UserId(u64);

#[derive(Baggage)]
struct Nothing;

fn is_baggage<B: Baggage>() {}

fn main() {
    // an enum is a value, not all of the baggage
    is_baggage::<Tier>();
    // each mistake is one error: they are baggage nonetheless
    is_baggage::<Number>();
    is_baggage::<UserId>();
    is_baggage::<Nothing>();
    let _ = (Tier::Free, Tier::Gold, Number { signed: 1 }, UserId(1), Nothing);
}
