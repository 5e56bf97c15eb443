#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    ctxprop_fuzz::budget::check_deadline(&ctxprop_fuzz::lines("x-deadline", data));
});
