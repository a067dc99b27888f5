//! What the exit code of `plugfest` says. The numbers are part of the interface and do not change.

use plugfest_judge::{CaseResult, Verdict};

use crate::run::{Colour, colour};

/// Nothing was worse than a warning.
pub const OK: u8 = 0;
/// The DUT failed, an expected failure did not fail, or there is a warning under `--strict`.
pub const FAILED: u8 = 1;
/// The arguments, the configuration or a case file are wrong; nothing was connected.
pub const USAGE: u8 = 2;
/// No failure, but something is inconclusive, blocked or an error, or the DUT was not reached.
pub const UNDECIDED: u8 = 3;
/// The selection matched nothing.
pub const NOTHING_SELECTED: u8 = 4;
/// A bug of plugfest itself.
pub const BUG: u8 = 70;
/// Broken off by Ctrl-C.
pub const SIGINT: u8 = 130;
/// Broken off by SIGTERM.
pub const SIGTERM: u8 = 143;

/// All codes, in the order in which one hides the next where several apply.
pub const BY_RANK: [u8; 8] = [
    BUG,
    USAGE,
    SIGINT,
    SIGTERM,
    FAILED,
    UNDECIDED,
    NOTHING_SELECTED,
    OK,
];

/// The one code to exit with where several apply: 70, 2, 130 and 143, 1, 3, 4, 0.
pub fn combined(codes: impl IntoIterator<Item = u8>) -> u8 {
    // A number that is none of ours can only come from a bug.
    let rank = |code: u8| BY_RANK.iter().position(|&known| known == code).unwrap_or(0);
    codes.into_iter().min_by_key(|&code| rank(code)).unwrap_or(OK)
}

/// The code that a case's result asks for.
pub fn of_result(result: &CaseResult, strict: bool) -> u8 {
    match colour(result, strict) {
        Colour::Red => FAILED,
        Colour::Undecided => UNDECIDED,
        Colour::Yellow | Colour::Green | Colour::Grey => OK,
    }
}

/// The code for counts of verdicts.
pub fn of_counts(count: impl Fn(Verdict) -> u32, unexpected_passes: u32, strict: bool) -> u8 {
    let any = |verdicts: &[Verdict]| verdicts.iter().any(|&verdict| count(verdict) > 0);
    if any(&[Verdict::Fail]) || unexpected_passes > 0 || (strict && any(&[Verdict::Warn])) {
        return FAILED;
    }
    if any(&[Verdict::Error, Verdict::Blocked, Verdict::Inconclusive]) {
        return UNDECIDED;
    }
    OK
}

/// The code for a run that was broken off by a signal of this name.
pub fn of_interruption(by: &str) -> Option<u8> {
    match by {
        "SIGINT" => Some(SIGINT),
        "SIGTERM" => Some(SIGTERM),
        _ => None,
    }
}

/// What a code means, in a paragraph for `plugfest explain EXIT`.
pub fn explain(code: u8) -> Option<&'static str> {
    Some(match code {
        OK => {
            "Everything that was played gave pass or warn; cases that do not apply or were left out do not count."
        }
        FAILED => {
            "At least one case failed: the device broke a MUST. Also: a failure that the profile expects did not come, \
             or there is a warning and --strict was given."
        }
        USAGE => "An argument, plugfest.toml, a case file or a trace is wrong. Nothing was connected.",
        UNDECIDED => {
            "No case failed, but at least one was not decided: inconclusive, blocked or an error, or the device was \
             never reached."
        }
        NOTHING_SELECTED => "The selection matched no case. The message says what comes close.",
        BUG => "A bug in plugfest. Please report it with the message and the trace.",
        SIGINT => "The run was broken off by Ctrl-C. The reports hold what was played until then.",
        SIGTERM => "The run was broken off by SIGTERM. The reports hold what was played until then.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_code_wins() {
        assert_eq!(combined([OK, UNDECIDED, FAILED]), FAILED);
        assert_eq!(combined([FAILED, USAGE]), USAGE);
        assert_eq!(combined([USAGE, BUG, SIGINT]), BUG);
        assert_eq!(combined([FAILED, SIGTERM]), SIGTERM);
        assert_eq!(combined([UNDECIDED, NOTHING_SELECTED]), UNDECIDED);
        assert_eq!(combined([]), OK);
        assert_eq!(combined([FAILED, 99]), 99);
    }

    #[test]
    fn every_verdict_has_its_code() {
        let code = |given: Verdict, strict| of_counts(|v| u32::from(v == given), 0, strict);
        for verdict in Verdict::ALL {
            let (lax, strict) = match verdict {
                Verdict::Fail => (FAILED, FAILED),
                Verdict::Warn => (OK, FAILED),
                Verdict::Error | Verdict::Blocked | Verdict::Inconclusive => (UNDECIDED, UNDECIDED),
                Verdict::Pass | Verdict::Skipped | Verdict::NotApplicable => (OK, OK),
            };
            assert_eq!(
                (code(verdict, false), code(verdict, true)),
                (lax, strict),
                "{verdict}"
            );
        }
        assert_eq!(of_counts(|_| 0, 1, false), FAILED);
        assert_eq!(of_counts(|_| 1, 0, false), FAILED);
    }

    #[test]
    fn every_code_is_explained() {
        for code in BY_RANK {
            assert!(explain(code).is_some_and(|text| text.ends_with('.')), "{code}");
        }
        assert_eq!(explain(99), None);
        assert_eq!(
            (of_interruption("SIGTERM"), of_interruption("--fail-fast")),
            (Some(143), None)
        );
    }
}
