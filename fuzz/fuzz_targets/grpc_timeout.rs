#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    ctxprop_fuzz::budget::check_grpc(&ctxprop_fuzz::lines("grpc-timeout", data));
});
