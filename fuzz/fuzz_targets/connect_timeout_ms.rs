#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let name = "connect-timeout-ms";
    ctxprop_fuzz::budget::check_millis(&ctxprop_fuzz::lines(name, data), name, 10, false);
});
