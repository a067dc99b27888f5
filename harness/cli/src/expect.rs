//! Known failures: each names one rule at one place of one case, with a reason and an owner.
//!
//! A finding that is expected makes the case a *warn*: it is a known quirk. Any other finding stays what it is, and an
//! expected one that does not come makes the run red.

use plugfest_judge::{CaseResult, ExpectedFinding, Finding, Verdict};

/// A known failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expect {
    /// The case id.
    pub(crate) case: String,
    /// One variant of it; every variant where there is none.
    pub(crate) variant: Option<String>,
    /// The rule id.
    pub(crate) rule: String,
    /// The JSON pointer, where the finding has one.
    pub(crate) pointer: Option<String>,
    /// Why.
    pub(crate) reason: String,
    /// Who looks after it.
    pub(crate) owner: String,
}

impl Expect {
    fn concerns(&self, result: &CaseResult) -> bool {
        let key = &result.planned.key;
        self.case == key.case
            && self
                .variant
                .as_ref()
                .is_none_or(|variant| *variant == key.variant)
    }

    fn is(&self, finding: &Finding) -> bool {
        self.rule == finding.rule && self.pointer == finding.pointer
    }
}

/// The result with expected findings set apart.
pub(crate) fn apply(mut result: CaseResult, expect: &[Expect]) -> CaseResult {
    let known: Vec<&Expect> = expect.iter().filter(|expect| expect.concerns(&result)).collect();
    if known.is_empty() {
        return result;
    }
    let worst = |findings: &[Finding]| findings.iter().map(|finding| finding.verdict).max();
    // What was decided by something else than a finding is not for an expectation to change.
    let decided_by_finding = worst(&result.findings) == Some(result.verdict);
    let mut met = vec![false; known.len()];
    let mut rest = Vec::new();
    for finding in std::mem::take(&mut result.findings) {
        match known.iter().position(|expect| expect.is(&finding)) {
            None => rest.push(finding),
            Some(n) => {
                met[n] = true;
                let (reason, owner) = (known[n].reason.clone(), known[n].owner.clone());
                result.expected.push(ExpectedFinding {
                    finding,
                    reason,
                    owner,
                });
            }
        }
    }
    result.findings = rest;
    if decided_by_finding && !result.expected.is_empty() {
        let left = worst(&result.findings)
            .unwrap_or(Verdict::Warn)
            .max(Verdict::Warn);
        if left < result.verdict {
            result.verdict = left;
            result.reason = result
                .findings
                .iter()
                .find(|finding| finding.verdict == left)
                .map_or_else(
                    || format!("expected: {}", result.expected[0].reason),
                    |finding| finding.message.clone(),
                );
        }
    }
    // A story that went wrong elsewhere may not have come to the place.
    if matches!(result.verdict, Verdict::Pass | Verdict::Warn) {
        let missed = known.iter().zip(met).filter(|(_, met)| !met).map(|(expect, _)| {
            let place = expect
                .pointer
                .as_deref()
                .map_or_else(String::new, |it| format!(" at {it}"));
            format!("{}{place} ({}; {})", expect.rule, expect.reason, expect.owner)
        });
        result.unexpected_pass.extend(missed);
    }
    result
}

#[cfg(test)]
mod tests {
    use plugfest_judge::{CaseKey, Level, PlannedCase};
    use plugfest_protocol::Timestamp;

    use super::*;

    fn finding(rule: &str, pointer: Option<&str>, level: Level) -> Finding {
        Finding {
            rule: rule.to_owned(),
            verdict: level.verdict(),
            level,
            clause: "OCPP-1.6 1".to_owned(),
            message: format!("{rule} found"),
            expected: String::new(),
            actual: String::new(),
            pointer: pointer.map(str::to_owned),
            event: None,
            line: None,
            parts: Vec::new(),
            count: 1,
            again: Vec::new(),
        }
    }

    fn result(verdict: Verdict, findings: Vec<Finding>) -> CaseResult {
        let key = CaseKey {
            case: "a".to_owned(),
            tests: "csms".to_owned(),
            variant: "x=1".to_owned(),
            repetition: 1,
        };
        let planned = PlannedCase {
            key,
            title: String::new(),
            covers: Vec::new(),
            protocol: String::new(),
            block: String::new(),
            profile: String::new(),
            clauses: Vec::new(),
            file: String::new(),
        };
        CaseResult {
            planned,
            verdict,
            reason: "as judged".to_owned(),
            findings,
            expected: Vec::new(),
            unexpected_pass: Vec::new(),
            lines_met: 1,
            checks: 0,
            negatives: plugfest_judge::Negatives::default(),
            duration_ms: 0,
            waited_ms: 0,
            started: Timestamp::from_secs(0),
            trace: None,
            conversation: Vec::new(),
            reproduce: String::new(),
            unclaimed: Vec::new(),
            aftermath: Vec::new(),
        }
    }

    fn expect(rule: &str, pointer: Option<&str>) -> Expect {
        Expect {
            case: "a".to_owned(),
            variant: None,
            rule: rule.to_owned(),
            pointer: pointer.map(str::to_owned),
            reason: "a quirk".to_owned(),
            owner: "me".to_owned(),
        }
    }

    #[test]
    fn an_expected_failure_is_a_known_quirk() {
        let one = result(Verdict::Fail, vec![finding("r", Some("/x"), Level::Must)]);
        let seen = apply(one, &[expect("r", Some("/x"))]);
        assert_eq!(
            (seen.verdict, seen.findings.len(), seen.expected.len()),
            (Verdict::Warn, 0, 1)
        );
        assert_eq!(seen.reason, "expected: a quirk");
        assert!(seen.unexpected_pass.is_empty());
    }

    #[test]
    fn another_finding_stays_red() {
        let findings = vec![
            finding("r", Some("/x"), Level::Must),
            finding("r", Some("/y"), Level::Must),
        ];
        let seen = apply(result(Verdict::Fail, findings), &[expect("r", Some("/x"))]);
        assert_eq!(
            (seen.verdict, seen.findings.len(), seen.expected.len()),
            (Verdict::Fail, 1, 1)
        );
        let seen = apply(
            result(Verdict::Fail, vec![finding("r", None, Level::Must)]),
            &[expect("r", Some("/x"))],
        );
        assert_eq!(
            (seen.verdict, seen.expected.len(), seen.unexpected_pass.len()),
            (Verdict::Fail, 0, 0)
        );
    }

    #[test]
    fn an_expected_failure_that_does_not_come_is_told() {
        let seen = apply(result(Verdict::Pass, Vec::new()), &[expect("r", Some("/x"))]);
        assert_eq!(seen.verdict, Verdict::Pass);
        assert_eq!(seen.unexpected_pass, ["r at /x (a quirk; me)"]);
        for undecided in [
            Verdict::NotApplicable,
            Verdict::Blocked,
            Verdict::Inconclusive,
            Verdict::Error,
        ] {
            let seen = apply(result(undecided, Vec::new()), &[expect("r", None)]);
            assert_eq!((seen.verdict, seen.unexpected_pass.len()), (undecided, 0));
        }
    }

    #[test]
    fn what_no_finding_decided_stays() {
        let seen = apply(
            result(Verdict::Inconclusive, vec![finding("r", None, Level::Should)]),
            &[expect("r", None)],
        );
        assert_eq!((seen.verdict, seen.expected.len()), (Verdict::Inconclusive, 1));
        assert_eq!(seen.reason, "as judged");
    }

    #[test]
    fn other_cases_and_variants_are_not_concerned() {
        let other = Expect {
            variant: Some("x=2".to_owned()),
            ..expect("r", None)
        };
        let seen = apply(
            result(Verdict::Fail, vec![finding("r", None, Level::Must)]),
            &[other],
        );
        assert_eq!((seen.verdict, seen.expected.len()), (Verdict::Fail, 0));
    }
}
