//! What the compiler knows of keys and lengths, each at the token that says it.

use ctxprop::Baggage;

#[derive(Baggage)]
struct TooLong {
    #[baggage(max_len = 2000)]
    one: String,
    #[baggage(max_len = 800)]
    two: String,
}

#[derive(Baggage)]
#[baggage(max_bytes = 50)]
struct MoreThanItSays {
    #[baggage(key = "user.id", max_len = 20)]
    id: u64,
}

#[derive(Baggage)]
#[baggage(max_bytes = 50)]
struct NoLimit {
    #[baggage(max_len = 5)]
    id: u64,
    name: String,
    #[baggage(flatten)]
    place: Place,
}

#[derive(Baggage)]
struct Place {
    region: String,
}

#[derive(Baggage)]
struct Doubled {
    region: String,
    #[baggage(flatten)]
    place: Place,
}

#[derive(Baggage)]
struct DoubledInside {
    #[baggage(flatten)]
    one: Outer,
    #[baggage(flatten)]
    two: Place,
}

#[derive(Baggage)]
struct Outer {
    #[baggage(flatten)]
    inner: Place,
}

#[derive(Baggage)]
struct NotBaggage {
    #[baggage(flatten)]
    place: Option<Place>,
    #[baggage(flatten)]
    number: u64,
}

macro_rules! many {
    ($name:ident { $($field:ident)* }) => {
        #[derive(Baggage)]
        struct $name {
            $(#[baggage(max_len = 1)] $field: char,)*
        }
    };
}

many!(TooMany {
    a00 a01 a02 a03 a04 a05 a06 a07 a08 a09 a10 a11 a12 a13 a14 a15 a16 a17 a18 a19 a20 a21 a22 a23 a24 a25 a26 a27
    a28 a29 a30 a31 a32 a33 a34 a35 a36 a37 a38 a39 a40 a41 a42 a43 a44 a45 a46 a47 a48 a49 a50 a51 a52 a53 a54 a55
    a56 a57 a58 a59 a60 a61 a62 a63 a64
});

fn main() {}
