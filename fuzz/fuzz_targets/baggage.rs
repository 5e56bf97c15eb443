#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    ctxprop_fuzz::baggage::check(&ctxprop_fuzz::lines("baggage", data));
});
