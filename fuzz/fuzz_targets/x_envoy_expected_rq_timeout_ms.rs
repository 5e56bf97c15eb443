#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let name = "x-envoy-expected-rq-timeout-ms";
    ctxprop_fuzz::budget::check_millis(&ctxprop_fuzz::lines(name, data), name, usize::MAX, true);
});
