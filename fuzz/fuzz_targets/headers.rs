#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    ctxprop_fuzz::headers::check(&ctxprop_fuzz::headers::read(data));
});
