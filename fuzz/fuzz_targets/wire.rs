//! See `wire` in the checks, which are shared with the tests of sluice-llm.
#![no_main]
#![allow(dead_code, reason = "a target uses one of the checks")]

#[path = "../../crates/llm/tests/fuzz/json.rs"]
mod json;
#[path = "../../crates/llm/tests/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::wire(data));
