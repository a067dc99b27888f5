//! Our validator against an independent one: the `jsonschema` crate, fed with the schemas that we export.
//!
//! Every payload that either side is asked about is counted; the counts are asserted, so that the comparison
//! cannot quietly become one of nothing.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use plugfest_protocol::{
    DateTimeText, Edition, Form, Json, Part, Source, ViolationClass, json_schema, maximal, minimal, mistakes,
    mutations, random, validate,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Both validators on one payload: the independent one must refuse exactly what ours finds in the schema.
struct Bench {
    validators: BTreeMap<(String, Part), Validator>,
    payloads: usize,
    valid: usize,
    classes: BTreeMap<ViolationClass, usize>,
    actions: BTreeMap<String, usize>,
    disagreements: Vec<String>,
}

impl Bench {
    fn new(edition: &Edition) -> Self {
        let mut validators = BTreeMap::new();
        for action in edition.actions() {
            for part in [Part::Request, Part::Response] {
                let schema = json_schema(edition, &action.name, part).expect("the action is of the edition");
                let validator = jsonschema::draft6::options()
                    .should_validate_formats(true)
                    .build(&schema.to_serde())
                    .expect("an exported schema is a schema");
                validators.insert((action.name.clone(), part), validator);
            }
        }
        Self {
            validators,
            payloads: 0,
            valid: 0,
            classes: BTreeMap::new(),
            actions: BTreeMap::new(),
            disagreements: Vec::new(),
        }
    }

    fn compare(&mut self, edition: &Edition, action: &str, part: Part, payload: &Json) {
        let found = validate(edition, action, part, payload);
        let ours = found.iter().all(|violation| violation.source == Source::Text);
        let theirs = self.validators[&(action.to_owned(), part)].is_valid(&payload.to_serde());
        self.payloads += 1;
        self.valid += usize::from(theirs);
        *self.actions.entry(action.to_owned()).or_default() += 1;
        let mut classes: Vec<_> = found.iter().map(|violation| violation.class).collect();
        classes.sort_unstable();
        classes.dedup();
        for class in classes {
            *self.classes.entry(class).or_default() += 1;
        }
        if ours != theirs {
            self.disagreements.push(format!(
                "{action} {part}: ours {ours}, theirs {theirs}: {payload}\n  {found:?}"
            ));
        }
    }

    fn assert_agreement(&self) {
        let first: Vec<_> = self.disagreements.iter().take(5).collect();
        assert!(
            first.is_empty(),
            "{} disagreements, such as {first:#?}",
            self.disagreements.len()
        );
    }
}

const RARE: [ViolationClass; 5] = [
    ViolationClass::NotMultiple,
    ViolationClass::BadUri,
    ViolationClass::TooFewItems,
    ViolationClass::TooManyItems,
    ViolationClass::OutOfRange,
];

/// Several mutations at once, so that one mistake does not hide another from either side. The dice fall on the
/// class first: the rare ones are wanted as often as the common ones.
fn several(edition: &Edition, action: &str, part: Part, payload: &Json, rng: &mut ChaCha8Rng) -> Json {
    let mut mutated = payload.clone();
    for _ in 0..rng.random_range(1..=3) {
        let all = mistakes(edition, action, part, &mutated);
        let classes: BTreeSet<_> = all.iter().map(|mistake| mistake.class).collect();
        let class = classes.iter().nth(rng.random_range(0..classes.len())).copied();
        let of_class: Vec<_> = all
            .iter()
            .filter(|mistake| Some(mistake.class) == class)
            .collect();
        mutated = of_class[rng.random_range(0..of_class.len())].apply(&mutated);
    }
    mutated
}

/// How much of an edition is compared: its messages differ in size by a factor of a hundred.
struct Plan {
    seed: u64,
    /// Random legal payloads of each message, beside the smallest and the largest.
    random: usize,
    /// Payloads with several mistakes made of each of those.
    several: usize,
    /// Of so many legal payloads the single mistakes are compared, of the others only the rare ones.
    single: usize,
    /// So many single mistakes of one payload, spread evenly over it.
    most: usize,
}

#[expect(
    clippy::print_stdout,
    reason = "the counts, for whoever asks with --nocapture"
)]
fn compared(edition: &Edition, plan: &Plan) -> Bench {
    let mut bench = Bench::new(edition);
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    for action in edition.actions() {
        for part in [Part::Request, Part::Response] {
            let mut bases = vec![
                minimal(edition, &action.name, part),
                maximal(edition, &action.name, part),
            ];
            bases.extend((0..plan.random).map(|_| random(edition, &action.name, part, &mut rng)));
            for base in &bases {
                bench.compare(edition, &action.name, part, base);
                for _ in 0..plan.several {
                    let mutated = several(edition, &action.name, part, base, &mut rng);
                    bench.compare(edition, &action.name, part, &mutated);
                }
            }
            for (n, base) in bases.iter().enumerate() {
                // Few places can make the rare mistakes: they are compared on every base, the rest on some.
                let all = mistakes(edition, &action.name, part, base).into_iter();
                let (rare, common): (Vec<_>, Vec<_>) = all.partition(|m| RARE.contains(&m.class));
                let common = if n < plan.single { common } else { Vec::new() };
                for some in [rare, common] {
                    let step = some.len().div_ceil(plan.most).max(1);
                    for mistake in some.iter().skip(n % step).step_by(step) {
                        bench.compare(edition, &action.name, part, &mistake.apply(base));
                    }
                }
            }
        }
    }
    bench.assert_agreement();
    println!(
        "{} payloads, {} valid, {:?}",
        bench.payloads, bench.valid, bench.classes
    );
    assert!(bench.payloads >= 10_000, "{} payloads", bench.payloads);
    assert!(bench.valid >= 2_000, "{} valid", bench.valid);
    assert_eq!(bench.actions.len(), edition.actions().len());
    for (action, count) in &bench.actions {
        assert!(*count >= 100, "{action}: {count}");
    }
    bench
}

impl Bench {
    /// Every class at least a hundred times, but those that no schema of the edition can be violated in.
    fn assert_classes(&self, absent: [ViolationClass; 2]) {
        for class in ViolationClass::ALL {
            let count = self.classes.get(&class).copied().unwrap_or(0);
            if absent.contains(&class) {
                assert_eq!(count, 0, "{class}");
            } else {
                assert!(count >= 100, "{class}: {count}");
            }
        }
    }
}

#[test]
fn two_validators_agree_on_every_payload_of_ocpp16() {
    let plan = Plan {
        seed: 16,
        random: 60,
        several: 3,
        single: 6,
        most: usize::MAX,
    };
    // No schema of 1.6 bounds a number, or a list from above: the test of other constructs compares those.
    let absent = [ViolationClass::OutOfRange, ViolationClass::TooManyItems];
    compared(Edition::ocpp16(), &plan).assert_classes(absent);
}

#[test]
fn two_validators_agree_on_every_payload_of_ocpp201() {
    let plan = Plan {
        seed: 201,
        random: 14,
        several: 2,
        single: 4,
        most: 25,
    };
    // The schemas of 2.0.1 know neither a unit of decimals nor a URI.
    let absent = [ViolationClass::NotMultiple, ViolationClass::BadUri];
    compared(Edition::ocpp201(), &plan).assert_classes(absent);
}

#[test]
fn two_validators_agree_on_constructs_that_ocpp16_lacks() {
    let text = "edition T t\ndocument T T\nenum E X Y\ntype P\n n int(0..3)\n d? dec\n a? any\n\
                msg M both P b T:1 T:2 T:3\n >\n  list P[1..2]\n  limit? dec/0.01\n  n? int(-5..)\n <\n  e? E[0..3]\n";
    let edition = Edition::parse(text).expect("the catalogue of this test");
    let mut bench = Bench::new(&edition);
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    for part in [Part::Request, Part::Response] {
        for _ in 0..200 {
            let base = random(&edition, "M", part, &mut rng);
            bench.compare(&edition, "M", part, &base);
            for mutation in mutations(&edition, "M", part, &base) {
                bench.compare(&edition, "M", part, &mutation.payload);
            }
        }
    }
    bench.assert_agreement();
    for class in [
        ViolationClass::OutOfRange,
        ViolationClass::TooManyItems,
        ViolationClass::NotMultiple,
    ] {
        let count = bench.classes.get(&class).copied().unwrap_or(0);
        assert!(count >= 100, "{class}: {count}");
    }
}

#[test]
fn two_readers_agree_on_what_a_date_time_is() {
    let edition = Edition::ocpp16();
    let mut bench = Bench::new(edition);
    let mut rng = ChaCha8Rng::seed_from_u64(18);
    let alphabet = ['0', '1', '2', '9', '-', ':', 'T', 'Z', '+', '.', ' ', 't', 'é'];
    let mut skipped = 0;
    for n in 0..4_000 {
        let base = random(edition, "Heartbeat", Part::Response, &mut rng);
        let mut text: Vec<char> = base
            .get("currentTime")
            .and_then(Json::as_str)
            .unwrap_or("")
            .chars()
            .collect();
        for _ in 0..n % 3 {
            let at = rng.random_range(0..text.len());
            match rng.random_range(0..3) {
                0 => text[at] = alphabet[rng.random_range(0..alphabet.len())],
                1 => text.insert(at, alphabet[rng.random_range(0..alphabet.len())]),
                _ => drop(text.remove(at)),
            }
        }
        let text: String = text.into_iter().collect();
        if has_punctuation_for_a_digit(&text) {
            // The other reader takes any of `+-./` for a digit there (jsonschema 0.60); ours must not.
            let read = DateTimeText::parse(&text);
            assert!(
                read.is_err() || read.is_ok_and(|read| read.form != Form::Rfc3339),
                "{text}"
            );
            skipped += 1;
            continue;
        }
        let mut payload = base.clone();
        assert!(payload.set_pointer("/currentTime", Json::from(text)));
        bench.compare(edition, "Heartbeat", Part::Response, &payload);
    }
    bench.assert_agreement();
    assert!(
        bench.valid > 1_000 && bench.payloads - bench.valid > 1_000,
        "{} of {}",
        bench.valid,
        bench.payloads
    );
    assert!(skipped < 2_000, "{skipped}");
}

/// True where one of the characters before the fraction that must be a digit is punctuation instead.
fn has_punctuation_for_a_digit(text: &str) -> bool {
    let shape = "dddd-dd-ddTdd:dd:dd";
    let mut pairs = shape.bytes().zip(text.bytes());
    let offset = text
        .get(shape.len()..)
        .and_then(|rest| rest.split_once(['+', '-']));
    pairs.any(|(want, got)| want == b'd' && b"+-./".contains(&got))
        || offset.is_some_and(|(_, offset)| offset.contains(['+', '-', '.']))
}
