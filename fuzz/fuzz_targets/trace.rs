//! Any bytes as a trace: reading never panics and says where it stopped.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _read = plugfest_trace::read_trace(bytes, "fuzz.trace");
});
