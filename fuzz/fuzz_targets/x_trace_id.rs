#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    ctxprop_fuzz::trace::check(&ctxprop_fuzz::lines("x-trace-id", data));
});
