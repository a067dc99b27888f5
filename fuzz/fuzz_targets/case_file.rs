//! Any text as a case file: parsing never panics, and what parses without error prints and parses to the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (file, found) = plugfest_case::parse("fuzz.case", text);
    if found.iter().any(plugfest_case::Diagnostic::is_error) {
        return;
    }
    let printed = plugfest_case::print(&file);
    let (again, found) = plugfest_case::parse("fuzz.case", &printed);
    assert!(!found.iter().any(plugfest_case::Diagnostic::is_error), "{printed}");
    assert_eq!(plugfest_case::print(&again), printed);
});
