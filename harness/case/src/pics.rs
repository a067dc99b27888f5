//! PICS expressions: whether a case applies to a DUT, and which term decided.

use std::collections::BTreeMap;

use plugfest_protocol::Json;

use crate::ir::{CompareOp, Pics};

/// Whether an expression holds, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applies {
    /// True where the case applies.
    pub applies: bool,
    /// The terms that decided: `fixed_cable is false`, `connectors is 1`.
    pub deciding: String,
}

/// Decides an expression over the answers of a profile. A code without answer counts as `false` and as 0, and the
/// deciding term says so; that a code is known at all is checked at load.
pub fn evaluate(pics: &Pics, answers: &BTreeMap<String, Json>) -> Applies {
    match pics {
        Pics::Code(code) => Applies {
            applies: yes(answers.get(code)),
            deciding: state(code, answers),
        },
        Pics::Compare { code, op, value } => {
            let answer = answers.get(code).and_then(Json::as_i64).unwrap_or(0);
            Applies {
                applies: compare(answer, *op, *value),
                deciding: state(code, answers),
            }
        }
        Pics::Not(inner) => {
            let inner = evaluate(inner, answers);
            Applies {
                applies: !inner.applies,
                ..inner
            }
        }
        Pics::And(left, right) => decide(evaluate(left, answers), evaluate(right, answers), false),
        Pics::Or(left, right) => decide(evaluate(left, answers), evaluate(right, answers), true),
    }
}

/// Of two terms, one that equals `enough` decides alone.
fn decide(left: Applies, right: Applies, enough: bool) -> Applies {
    if left.applies == enough {
        return left;
    }
    if right.applies == enough {
        return right;
    }
    Applies {
        applies: !enough,
        deciding: format!("{}, {}", left.deciding, right.deciding),
    }
}

fn yes(answer: Option<&Json>) -> bool {
    match answer {
        Some(Json::Bool(b)) => *b,
        Some(number @ Json::Number(_)) => number.as_i64() != Some(0),
        _ => false,
    }
}

fn compare(left: i64, op: CompareOp, right: i64) -> bool {
    match op {
        CompareOp::Lt => left < right,
        CompareOp::Le => left <= right,
        CompareOp::Gt => left > right,
        CompareOp::Ge => left >= right,
        CompareOp::Eq => left == right,
        CompareOp::Ne => left != right,
    }
}

fn state(code: &str, answers: &BTreeMap<String, Json>) -> String {
    match answers.get(code) {
        Some(answer) => format!("{code} is {answer}"),
        None => format!("{code} is not answered"),
    }
}

impl Pics {
    /// Every code in it, with whether it is compared with a number, in order of appearance.
    pub fn codes(&self) -> Vec<(&str, bool)> {
        match self {
            Pics::Code(code) => vec![(code, false)],
            Pics::Compare { code, .. } => vec![(code, true)],
            Pics::Not(inner) => inner.codes(),
            Pics::And(left, right) | Pics::Or(left, right) => {
                let mut codes = left.codes();
                codes.extend(right.codes());
                codes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parse_pics;

    fn answers(text: &str) -> BTreeMap<String, Json> {
        let json = Json::parse(text).expect("a literal of this test");
        let object = json.as_object().expect("an object");
        object.iter().map(|(k, v)| (k.to_owned(), v.clone())).collect()
    }

    fn decide(text: &str, profile: &str) -> (bool, String) {
        let parsed = parse_pics(text).expect(text);
        let decided = evaluate(&parsed.expr, &answers(profile));
        (decided.applies, decided.deciding)
    }

    #[test]
    fn the_deciding_term_is_named() {
        let profile = r#"{"Core": true, "fixed_cable": false, "connectors": 1, "C-10.2": true}"#;
        assert_eq!(
            decide("Core and not fixed_cable", profile),
            (true, "Core is true, fixed_cable is false".into())
        );
        assert_eq!(
            decide("Core and connectors > 1", profile),
            (false, "connectors is 1".into())
        );
        assert_eq!(
            decide("fixed_cable or C-10.2", profile),
            (true, "C-10.2 is true".into())
        );
        assert_eq!(decide("HFS-8", profile), (false, "HFS-8 is not answered".into()));
        assert!(!decide("connectors == -1 or connectors != 1", profile).0);
    }

    #[test]
    fn not_binds_tighter_than_and_which_binds_tighter_than_or() {
        for (text, same) in [
            ("a or b and c", "a or (b and c)"),
            ("not a and b", "(not a) and b"),
            ("not a or b", "(not a) or b"),
            ("a and b or c and d", "(a and b) or (c and d)"),
            ("not not a", "a"),
        ] {
            for bits in 0..16u32 {
                let profile: BTreeMap<String, Json> = ["a", "b", "c", "d"]
                    .iter()
                    .enumerate()
                    .map(|(i, code)| ((*code).to_owned(), Json::Bool(bits >> i & 1 == 1)))
                    .collect();
                let [left, right] =
                    [text, same].map(|t| evaluate(&parse_pics(t).expect(t).expr, &profile).applies);
                assert_eq!(left, right, "{text} with {profile:?}");
            }
        }
        let (left, right) = (
            parse_pics("a or b and c").expect("pics"),
            parse_pics("(a or b) and c").expect("pics"),
        );
        assert_ne!(left.expr, right.expr);
    }

    #[test]
    fn broken_expressions_point_at_their_fault() {
        for (text, at) in [
            ("a and", 5),
            ("a b", 2),
            ("(a", 2),
            ("and", 0),
            ("a > x", 4),
            ("a > 1.5", 4),
            ("", 0),
            ("a ==", 4),
        ] {
            assert_eq!(parse_pics(text).expect_err(text).span.start, at, "{text}");
        }
    }

    fn pics() -> impl Strategy<Value = Pics> {
        let leaf = prop_oneof![
            "[abc]".prop_map(Pics::Code),
            ("[n]", -3i64..3).prop_map(|(code, value)| Pics::Compare {
                code,
                op: CompareOp::Ge,
                value
            }),
        ];
        leaf.prop_recursive(5, 32, 2, |inner| {
            let pair = (inner.clone(), inner.clone());
            prop_oneof![
                inner.prop_map(|p| Pics::Not(Box::new(p))),
                pair.clone()
                    .prop_map(|(l, r)| Pics::And(Box::new(l), Box::new(r))),
                pair.prop_map(|(l, r)| Pics::Or(Box::new(l), Box::new(r))),
            ]
        })
    }

    fn profile() -> impl Strategy<Value = BTreeMap<String, Json>> {
        (any::<[bool; 3]>(), -3i64..3).prop_map(|([a, b, c], n)| {
            let flags = [("a", a), ("b", b), ("c", c)].map(|(k, v)| (k.to_owned(), Json::Bool(v)));
            flags
                .into_iter()
                .chain([("n".to_owned(), Json::from(n))])
                .collect()
        })
    }

    fn not(p: &Pics) -> Pics {
        Pics::Not(Box::new(p.clone()))
    }

    proptest! {
        #[test]
        fn de_morgan_and_double_negation_hold(l in pics(), r in pics(), profile in profile()) {
            let holds = |p: &Pics| evaluate(p, &profile).applies;
            let and = Pics::And(Box::new(l.clone()), Box::new(r.clone()));
            let or = Pics::Or(Box::new(not(&l)), Box::new(not(&r)));
            prop_assert_eq!(holds(&not(&and)), holds(&or));
            prop_assert_eq!(holds(&not(&not(&l))), holds(&l));
            prop_assert_eq!(holds(&and), holds(&l) && holds(&r));
        }

        #[test]
        fn only_codes_of_the_expression_decide(p in pics(), profile in profile()) {
            let deciding = evaluate(&p, &profile).deciding;
            let codes = p.codes();
            for term in deciding.split(", ") {
                let code = term.split(' ').next().unwrap_or_default();
                prop_assert!(codes.iter().any(|(c, _)| *c == code));
            }
        }
    }
}
