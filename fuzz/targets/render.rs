#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    r8_fuzz::render(bytes);
});
