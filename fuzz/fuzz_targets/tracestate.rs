#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    ctxprop_fuzz::trace::check_state(&mut ctxprop_fuzz::lines("tracestate", data));
});
