//! What an enum can be, and what its variants can say.

use ctxprop::Baggage;

#[derive(Baggage)]
enum Tier {
    Free,
    #[baggage(value = "Free")]
    Same,
    #[baggage(value = gold)]
    NoText,
    #[baggage(key = "gold", rename = "gold")]
    OtherAttributes,
    #[baggage(value = "a", value = "b")]
    Doubled,
}

#[derive(Baggage)]
#[baggage(prefix = "tier.", max_bytes = 7)]
enum WithStructAttributes {
    Free,
}

#[derive(Baggage)]
enum Shape {
    Square(u64),
    Circle { radius: u64 },
    Nothing,
}

#[derive(Baggage)]
enum Never {}

#[derive(Baggage)]
enum Twice {
    One,
}

impl std::str::FromStr for Twice {
    type Err = ();
    fn from_str(_: &str) -> Result<Self, ()> {
        Ok(Twice::One)
    }
}

impl std::fmt::Display for Twice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("one")
    }
}

fn main() {}
