//! Each attribute that is wrong has a message of its own, at its own token, all at once.

use ctxprop::Baggage;

#[derive(Baggage)]
struct Names {
    #[baggage(rename = "user.id")]
    unknown: Vec<u8>,
    #[baggage(max_len = 20, max_len = 30)]
    doubled: u64,
    #[baggage(key = "one")]
    #[baggage(private, key = "two")]
    doubled_in_another: u64,
    #[baggage(crate = ctxprop, prefix = "user.", rename_all = "camelCase")]
    of_the_struct: u64,
    #[baggage(value = "gold")]
    of_a_variant: u64,
    #[baggage("user.id")]
    nameless: u64,
    #[baggage]
    without_list: u64,
    #[baggage(key: "user.id")]
    colon: u64,
    #[baggage(key "user.id")]
    nothing_between: u64,
}

#[derive(Baggage)]
#[baggage(key = "user.id", rename = "user.")]
struct OnTheStruct {
    id: u64,
}

#[derive(Baggage)]
#[baggage(crate = "no path")]
struct NoPath {
    id: u64,
}

#[derive(Baggage)]
#[baggage(rename_all = "Kebab-Case", prefix = 7, max_bytes)]
struct NoSuchCase {
    id: u64,
}

#[derive(Baggage)]
#[baggage(rename_all, prefix = "user/", max_bytes = 0)]
struct NoCase {
    id: u64,
}

#[derive(Baggage)]
#[baggage(max_bytes = 10_000, value = "gold")]
struct TooMany {
    id: u64,
}

#[derive(Baggage)]
#[baggage(crate)]
struct NoCrate {
    id: u64,
}

#[derive(Baggage)]
struct Values {
    #[baggage(max_len = "20")]
    text_for_number: String,
    #[baggage(max_len)]
    no_number: String,
    #[baggage(max_len = -1)]
    negative: String,
    #[baggage(max_len = 2.5)]
    fraction: String,
    #[baggage(max_len = 20KB)]
    unit: String,
    #[baggage(max_len = 0)]
    zero: String,
    #[baggage(max_len = 99999999999999999999)]
    huge: String,
    #[baggage(key = 7)]
    number_for_text: String,
    #[baggage(key = user.id)]
    no_quotes: String,
    #[baggage(key("user.id"))]
    list_for_text: String,
    #[baggage(key =, max_len = 20)]
    nothing: String,
    #[baggage(private = true)]
    private_is: String,
    #[baggage(skip(always))]
    skip_list: Vec<u8>,
    #[baggage(default("gold"))]
    default_list: String,
}

#[derive(Baggage)]
struct Together {
    #[baggage(skip, key = "user.id", max_len = 20)]
    skipped_with_two: u64,
    #[baggage(private, default = 7, skip)]
    skipped_with_two_more: u64,
    #[baggage(skip, flatten)]
    skipped_and_flattened: u64,
    #[baggage(flatten, key = "user", private)]
    flattened_with_two: u64,
    #[baggage(flatten = true)]
    flatten_is: u64,
    #[baggage(default)]
    default_of_option: Option<u64>,
}

fn main() {
    let _ = |names: Names| names.unknown;
}
