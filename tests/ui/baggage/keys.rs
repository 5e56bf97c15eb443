//! Keys are looked at where they are written.

use ctxprop::Baggage;

#[derive(Baggage)]
struct NoTokens {
    #[baggage(key = "")]
    empty: u64,
    #[baggage(key = "user id")]
    space: u64,
    #[baggage(key = "user/id")]
    slash: u64,
    #[baggage(key = "user\r\nid")]
    line_break: u64,
    #[baggage(key = "größe")]
    not_ascii: u64,
    größe: u64,
}

#[derive(Baggage)]
struct Doubled {
    #[baggage(key = "user.id")]
    id: u64,
    #[baggage(key = "user.id")]
    same: u64,
    tenant: String,
    #[baggage(key = "tenant")]
    same_as_a_name: String,
    #[baggage(key = "shop")]
    market: String,
    shop: Option<String>,
    #[baggage(key = "User.Id")]
    keys_have_case: u64,
    // what is skipped has no key
    #[baggage(skip)]
    r#type: u64,
    #[baggage(key = "type")]
    kind: u64,
}

fn main() {}
