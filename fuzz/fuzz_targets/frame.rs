//! Any text as an OCPP-J frame: reading never panics, and what was understood is written and read back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plugfest_protocol::{Edition, Frame, Part, read_frame, validate};

fuzz_target!(|text: &str| {
    let edition = Edition::by_name("OCPP-1.6").expect("the catalogue is compiled in");
    let Some(frame) = read_frame(edition, text).frame else { return };
    let again = read_frame(edition, &frame.to_text());
    assert_eq!(again.frame.as_ref(), Some(&frame));
    if let Frame::Call { action, payload, .. } = &frame {
        let _found = validate(edition, action, Part::Request, payload);
    }
});
