//! Validation: our interpreter of the catalogue against the crate `jsonschema` and against PyPI's `ocpp`, on the same
//! payloads, all of them valid: random ones of every message.

use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jsonschema::Validator;
use plugfest_play::clock::Clock;
use plugfest_protocol::{Edition, Json, Part, json_schema, random, validate};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Random payloads of each message.
const EACH: usize = 20;
/// So long each side validates in one round.
const ROUND: Duration = Duration::from_millis(400);

/// The payloads, as each side wants them.
pub(super) struct Payloads {
    edition: &'static Edition,
    all: Vec<Payload>,
    validators: Vec<Validator>,
    file: tempfile::NamedTempFile,
}

struct Payload {
    action: &'static str,
    part: Part,
    text: String,
    ours: Json,
    theirs: Value,
    /// Its place among the validators.
    validator: usize,
}

impl Payloads {
    /// Random payloads of every message of OCPP 1.6, the same every time.
    pub(super) fn new() -> Result<Self> {
        let edition = Edition::ocpp16();
        let mut rng = ChaCha8Rng::seed_from_u64(16);
        let mut made = Self {
            edition,
            all: Vec::new(),
            validators: Vec::new(),
            file: tempfile::NamedTempFile::new().context("no file for the payloads")?,
        };
        for action in edition.actions() {
            for part in [Part::Request, Part::Response] {
                let schema = json_schema(edition, &action.name, part).context("an action has a schema")?;
                let validator = jsonschema::draft6::options()
                    .should_validate_formats(true)
                    .build(&schema.to_serde())?;
                for _ in 0..EACH {
                    let payload = random(edition, &action.name, part, &mut rng);
                    made.add(&action.name, part, payload, &validator)?;
                }
                made.validators.push(validator);
            }
        }
        made.file.flush()?;
        Ok(made)
    }

    fn add(&mut self, action: &'static str, part: Part, payload: Json, validator: &Validator) -> Result<()> {
        let theirs = payload.to_serde();
        if !validator.is_valid(&theirs) || !validate(self.edition, action, part, &payload).is_empty() {
            bail!("a sample of {action} {part} is not valid: {payload}");
        }
        writeln!(self.file, "{}", json!([action, part.as_str(), theirs]))?;
        self.all.push(Payload {
            action,
            part,
            text: payload.to_string(),
            ours: payload,
            theirs,
            validator: self.validators.len(),
        });
        Ok(())
    }

    /// One `[action, part, payload]` a line.
    pub(super) fn file(&self) -> &Path {
        self.file.path()
    }

    /// Ours, payloads a second that are read already.
    pub(super) fn ours(&self) -> f64 {
        self.rate(|payload| self.valid(payload, &payload.ours))
    }

    /// Ours, texts a second: each is read and validated.
    pub(super) fn ours_from_text(&self) -> f64 {
        self.rate(|payload| Json::parse(&payload.text).is_ok_and(|read| self.valid(payload, &read)))
    }

    /// Those of `jsonschema`, which is asked for the truth only and not for what is wrong.
    pub(super) fn jsonschema(&self) -> f64 {
        self.rate(|payload| self.validators[payload.validator].is_valid(&payload.theirs))
    }

    /// Those of `serde_json` and `jsonschema`, from the text.
    pub(super) fn jsonschema_from_text(&self) -> f64 {
        self.rate(|payload| {
            serde_json::from_str(&payload.text)
                .is_ok_and(|read| self.validators[payload.validator].is_valid(&read))
        })
    }

    fn valid(&self, payload: &Payload, read: &Json) -> bool {
        validate(self.edition, payload.action, payload.part, read).is_empty()
    }

    /// Payloads a second, all of them as often as the time of a round allows.
    fn rate(&self, valid: impl Fn(&Payload) -> bool) -> f64 {
        let began = Clock::real_now();
        let mut passes = 0_usize;
        loop {
            for payload in &self.all {
                // All are valid; the answer is used, so that nobody computes nothing.
                black_box(valid(black_box(payload)));
            }
            passes += 1;
            let seconds = Clock::real_now().since(began);
            if seconds >= ROUND {
                return (passes * self.all.len()) as f64 / seconds.as_secs_f64();
            }
        }
    }
}
