//! Nothing that a DUT can send makes a rule panic, or find without end.

use plugfest_judge::rules;
use plugfest_protocol::{Edition, Json, Timestamp};
use plugfest_trace::{Data, Event, What};

use crate::dsl::{self, Version};

/// What a hostile DUT may put where something else stood.
const ODD: &[&str] = &[
    "99999999999999999999999999999999999",
    "-9223372036854775808",
    "9223372036854775807",
    "1e400",
    "0.00000000000000000000000000000000000001",
    "79228162514264337593543950335",
    "\"79228162514264337593543950335\"",
    "\"0000-01-01T00:00:00Z\"",
    "\"9999-12-31T23:59:59.999999Z\"",
    "\"-\"",
    "\"\"",
    "null",
    "[]",
    "{}",
    "[[[[]]]]",
    "\"\\u0000«secret:\u{1F600}\"",
];

/// A small generator of its own: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// Puts something odd in the place of one value of a JSON text.
fn spoil(text: &str, dice: &mut Dice) -> String {
    let ends = |c: char| matches!(c, ',' | '}' | ']');
    let starts: Vec<usize> = text
        .match_indices([':', ',', '['])
        .map(|(at, _)| at + 1)
        .collect();
    let Some(start) = starts.get(dice.roll(starts.len().max(1))).copied() else {
        return text.to_owned();
    };
    let end = text[start..].find(ends).map_or(text.len(), |end| start + end);
    format!("{}{}{}", &text[..start], ODD[dice.roll(ODD.len())], &text[end..])
}

#[test]
fn spoilt_traces_are_judged_without_panic_and_without_end() {
    let mut dice = Dice(7);
    let empty = std::collections::BTreeMap::new();
    for pair in crate::pairs().iter().filter(|pair| pair.trace.len() < 10_000) {
        for round in 0..40 {
            let (facts, mut events) = dsl::events(pair.dut, pair.trace, Version::Failing);
            for event in &mut events {
                if let What::Frame {
                    data: Data::Text { text },
                    ..
                } = &mut event.what
                    && dice.roll(3) == 0
                {
                    *text = spoil(text, &mut dice);
                }
            }
            match round % 4 {
                0 => events.reverse(),
                1 => {
                    let again: Vec<Event> = events.iter().flat_map(|e| [e.clone(), e.clone()]).collect();
                    events = again;
                }
                2 => {
                    for event in &mut events {
                        let micros = [i64::MIN, 0, i64::MAX][dice.roll(3)];
                        event.at = Timestamp::from_micros(micros);
                    }
                }
                _ => {}
            }
            let facts = if round % 2 == 0 { &facts } else { &empty };
            let found = rules::run(Edition::ocpp16(), pair.dut, &Json::Null, facts, &events);
            assert!(
                found.len() <= 60 * events.len(),
                "{}: {} findings",
                pair.rule,
                found.len()
            );
        }
    }
}
