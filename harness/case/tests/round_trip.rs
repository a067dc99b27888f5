//! Whatever the IR can say, its text says too: parsing what was printed gives the same, and printing that again
//! changes nothing.

use plugfest_case::ir::{
    Answer, AnswerForm, Arg, ArrayItem, ArrayPattern, BinaryOp, Branch, Call, Case, Cel, CompareOp,
    ConfigEntry, Covers, Export, Expr, ExprKind, FieldPattern, File, ForEach, Given, Header, Item, Kind,
    Layout, Link, Many, Mods, Never, NeverScope, Note, ObjectPattern, Pattern, Peer, Pics, Reference,
    Requires, Set, Span, Speaker, SpecRef, State, Stmt, Timing, Until, Verb, Way, Welcome, WelcomeForm, Word,
};
use plugfest_case::{parse, print};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

const AT: Span = Span { start: 0, end: 0 };

fn word(text: &str) -> Word {
    Word {
        text: text.to_owned(),
        span: AT,
    }
}

fn name() -> impl Strategy<Value = Word> + Clone {
    select(vec!["tx", "s", "m0", "swipe_1", "queued"]).prop_map(word)
}

fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        4 => "[a-zA-Z0-9 .,:]{0,8}",
        1 => "[\"'\\\\#{}é\u{202e}\t\u{1}/]{0,5}",
    ]
}

fn comment() -> impl Strategy<Value = String> + Clone {
    select(vec![
        "",
        "why",
        "two words",
        "a # mark",
        "  indented",
        "station: X {",
    ])
    .prop_map(str::to_owned)
}

fn spanned(kind: ExprKind) -> Expr {
    Expr { kind, span: AT }
}

fn path(words: &str) -> Vec<String> {
    words.split('.').map(str::to_owned).collect()
}

/// A value that begins no list, pair or call, so that it may stand alone as a pattern.
fn plain_expr() -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        Just(ExprKind::Null),
        any::<bool>().prop_map(ExprKind::Bool),
        select(vec!["0", "17", "-3", "1.50", "1e5"]).prop_map(|n| ExprKind::Number(n.to_owned())),
        select(vec![("10s", 10_000), ("250ms", 250), ("1.5h", 5_400_000)]).prop_map(|(text, millis)| {
            ExprKind::Duration {
                text: text.to_owned(),
                millis,
            }
        }),
        text().prop_map(ExprKind::Text),
        select(vec!["tx", "s.tx", "Accepted", "L1-N", "Energy.Active.Import"])
            .prop_map(|n| ExprKind::Name(path(n))),
        select(vec!["connector", "tag.valid"]).prop_map(|n| ExprKind::Param(path(n))),
        Just(ExprKind::Now),
        Just(ExprKind::Fresh),
    ]
    .prop_map(spanned);
    leaf.prop_recursive(3, 8, 2, |inner| {
        let op = select(vec![BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul]);
        (op, inner.clone(), inner)
            .prop_map(|(op, l, r)| spanned(ExprKind::Binary(op, Box::new(l), Box::new(r))))
    })
    .boxed()
}

fn expr() -> BoxedStrategy<Expr> {
    plain_expr()
        .prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..3).prop_map(|items| spanned(ExprKind::List(items))),
                vec((inner.clone(), inner.clone()), 1..3).prop_map(|pairs| spanned(ExprKind::Pairs(pairs))),
                verb_of(inner).prop_map(|verb| spanned(ExprKind::Call(verb))),
            ]
        })
        .boxed()
}

fn verb_of(value: impl Strategy<Value = Expr> + 'static) -> BoxedStrategy<Verb> {
    let label = of(select(vec!["connector", "from"]).prop_map(word));
    let arg = (label, value).prop_map(|(name, value)| Arg { name, value });
    (select(vec!["ev.plug", "profile"]), vec(arg, 0..3))
        .prop_map(|(name, args)| Verb {
            name: word(name),
            args,
        })
        .boxed()
}

fn verb() -> BoxedStrategy<Verb> {
    verb_of(expr())
}

fn object_of(pattern: BoxedStrategy<Pattern>) -> BoxedStrategy<ObjectPattern> {
    let field =
        (select(vec!["status", "meterValue", "two words", "end"]), pattern).prop_map(|(name, pattern)| {
            FieldPattern {
                name: word(name),
                pattern,
            }
        });
    (vec(field, 0..3), vec(plain_expr(), 0..2), any::<bool>())
        .prop_map(|(fields, same_as, exactly)| ObjectPattern {
            fields,
            same_as,
            exactly,
            span: AT,
        })
        .boxed()
}

/// A pattern; the first without `as` at its end, the second with it in some.
fn patterns() -> (BoxedStrategy<Pattern>, BoxedStrategy<Pattern>) {
    let op = select(vec![CompareOp::Lt, CompareOp::Le, CompareOp::Gt, CompareOp::Ge]);
    let regex = select(vec!["a", "^[0-9]+$", "a/b", "\\\\/x", "[a b]#"]);
    let leaf = prop_oneof![
        Just(Pattern::Any),
        Just(Pattern::Absent),
        plain_expr().prop_map(Pattern::Value),
        (op, expr()).prop_map(|(op, e)| Pattern::Compare(op, e)),
        expr().prop_map(Pattern::Near),
        (expr(), of(expr())).prop_map(|(e, t)| Pattern::About(e, t)),
        (regex, of(text())).prop_map(|(regex, like)| Pattern::Matches {
            regex: regex.to_owned(),
            like
        }),
        expr().prop_map(Pattern::SameAs),
        verb().prop_map(Pattern::Native),
    ];
    let unbound = leaf
        .prop_recursive(3, 12, 3, |inner| {
            let bound = bound(inner.clone().boxed());
            let item = prop_oneof![Just(ArrayItem::Rest), bound.clone().prop_map(ArrayItem::Item)];
            prop_oneof![
                vec(bound.clone(), 0..3).prop_map(Pattern::OneOf),
                inner.clone().prop_map(|p| Pattern::Not(Box::new(p))),
                inner.prop_map(|p| Pattern::Each(Box::new(p))),
                object_of(bound).prop_map(Pattern::Object),
                (vec(item, 0..3), any::<bool>()).prop_map(|(items, any_order)| Pattern::Array(
                    ArrayPattern {
                        items,
                        any_order,
                        span: AT
                    }
                )),
            ]
        })
        .boxed();
    (unbound.clone(), bound(unbound))
}

fn bound(inner: BoxedStrategy<Pattern>) -> BoxedStrategy<Pattern> {
    let named = (inner.clone(), name()).prop_map(|(p, n)| Pattern::Bind(Box::new(p), n));
    prop_oneof![3 => inner, 1 => named].boxed()
}

fn object() -> BoxedStrategy<ObjectPattern> {
    object_of(patterns().1)
}

fn speaker() -> impl Strategy<Value = Speaker> + Clone {
    (select(vec!["station", "csms", "files"]), 1u32..4).prop_map(|(role, number)| Speaker {
        role: role.to_owned(),
        number,
        span: AT,
    })
}

fn call() -> impl Strategy<Value = Call> {
    let picks = of(object().prop_map(|o| ObjectPattern { exactly: false, ..o }));
    (
        speaker(),
        select(vec!["Heartbeat", "StatusNotification"]),
        picks,
        object(),
    )
        .prop_map(|(speaker, action, picks, payload)| Call {
            speaker,
            action: word(action),
            picks,
            payload,
        })
}

fn cel() -> impl Strategy<Value = Cel> + Clone {
    select(vec![
        "a == 1",
        "f(x, \"as b, # c\") && $a.b > 2",
        "xs.all(e, e within 3)",
        "not a or b.c[0]",
    ])
    .prop_map(|text| Cel {
        text: text.to_owned(),
        span: AT,
    })
}

fn mods() -> impl Strategy<Value = Mods> {
    let timing = || of((expr(), of(expr())).prop_map(|(value, tolerance)| Timing { value, tolerance }));
    let some = (
        of(name()),
        of(expr()),
        timing(),
        timing(),
        of(text()),
        any::<[bool; 4]>(),
    )
        .prop_map(
            |(bind, within, after, every, per, [eventually, should, unprompted, at_once])| Mods {
                bind,
                within,
                after,
                every,
                eventually,
                should,
                per,
                unprompted,
                at_once,
            },
        );
    prop_oneof![2 => Just(Mods::default()), 1 => some]
}

fn reference() -> impl Strategy<Value = Reference> {
    (select(vec!["booted", "charging"]), vec(expr(), 0..3), of(name())).prop_map(|(name, args, bind)| {
        Reference {
            name: word(name),
            args,
            bind,
            span: AT,
        }
    })
}

fn given() -> BoxedStrategy<Given> {
    let key = select(vec!["HeartbeatInterval", "Ctrlr.Name", "two words"]);
    let entry = (key, expr(), any::<bool>()).prop_map(|(key, value, if_implemented)| ConfigEntry {
        key: word(key),
        value,
        if_implemented,
    });
    prop_oneof![
        reference().prop_map(Given::State),
        vec(entry, 0..3).prop_map(|entries| Given::Config { entries, span: AT }),
    ]
    .boxed()
}

fn answer() -> impl Strategy<Value = Kind> {
    let code = patterns().0;
    let form = prop_oneof![
        3 => object().prop_map(AnswerForm::Result),
        1 => code.prop_map(|code| AnswerForm::Error { code }),
        1 => Just(AnswerForm::Silence),
    ];
    (speaker(), of(name()), vec(form, 1..3))
        .prop_map(|(speaker, to, forms)| Kind::Answer(Answer { speaker, to, forms }))
}

fn line() -> BoxedStrategy<Kind> {
    let peer = || (speaker(), object()).prop_map(|(speaker, payload)| Peer { speaker, payload });
    let link = select(vec![Link::Drop, Link::Close(1001), Link::Refuse, Link::Accept]);
    let how = prop_oneof![
        object().prop_map(WelcomeForm::Accept),
        Just(WelcomeForm::RefuseTcp),
        expr().prop_map(WelcomeForm::RefuseHttp),
        Just(WelcomeForm::RefuseTls(word("expired"))),
    ];
    let scope = prop_oneof![expr().prop_map(NeverScope::For), Just(NeverScope::UntilEnd)];
    prop_oneof![
        4 => call().prop_map(Kind::Call),
        2 => answer(),
        1 => verb().prop_map(Kind::Act),
        1 => verb().prop_map(Kind::Operate),
        1 => verb().prop_map(Kind::Run),
        1 => peer().prop_map(Kind::Connect),
        1 => peer().prop_map(Kind::Close),
        1 => (speaker(), how).prop_map(|(speaker, how)| Kind::Welcome(Welcome { speaker, how })),
        1 => link.prop_map(Kind::Link),
        1 => expr().prop_map(|time| Kind::Wait { time }),
        1 => cel().prop_map(Kind::Check),
        1 => (speaker(), any::<bool>(), plain_expr()).prop_map(|(speaker, bytes, text)| Kind::Raw { speaker, bytes, text }),
        1 => given().prop_map(Kind::Do),
        1 => (vec(call(), 1..4), scope).prop_map(|(calls, scope)| Kind::Never(Never { calls, scope })),
    ]
    .boxed()
}

fn stmt(kind: BoxedStrategy<Kind>) -> BoxedStrategy<Stmt> {
    (kind, mods(), vec(comment(), 0..2), of(comment()), any::<bool>())
        .prop_map(|(kind, mut mods, comments, trailing, gap)| {
            // The name of a state's exports belongs to the reference.
            if matches!(kind, Kind::Do(Given::State(_))) {
                mods.bind = None;
            }
            let layout = Layout {
                gap,
                below: Vec::new(),
            };
            Stmt {
                comments,
                trailing,
                kind,
                mods,
                layout,
                span: AT,
            }
        })
        .boxed()
}

/// The lines of a block, with comments below the last.
fn lines(of: BoxedStrategy<Stmt>) -> BoxedStrategy<Vec<Stmt>> {
    (vec(of, 1..4), vec(comment(), 0..2))
        .prop_map(|(mut body, below)| {
            if let Some(last) = body.last_mut() {
                last.layout.below = below;
            }
            body
        })
        .boxed()
}

fn block(inner: BoxedStrategy<Vec<Stmt>>) -> BoxedStrategy<Kind> {
    let branch =
        (of(expr()), of(comment()), inner.clone()).prop_map(|(nothing_within, trailing, body)| Branch {
            nothing_within,
            trailing,
            body,
        });
    let set = prop_oneof![
        (0u32..2).prop_map(|from| Set::Connectors { from }),
        vec(expr(), 0..3).prop_map(Set::List),
        plain_expr().prop_map(Set::Value),
    ];
    let until = prop_oneof![
        Just(Until::Next),
        object().prop_map(Until::Fits),
        expr().prop_map(Until::Quiet),
    ];
    prop_oneof![
        inner.clone().prop_map(|body| Kind::AnyOrder { body }),
        inner.clone().prop_map(|body| Kind::InOrder { body }),
        vec(branch, 2..4).prop_map(|mut branches| {
            branches[0].nothing_within = None;
            Kind::Either { branches }
        }),
        inner.clone().prop_map(|body| Kind::Optional { body }),
        (of(plain_expr()), of(plain_expr()), inner.clone(), until).prop_map(|(min, max, body, until)| {
            Kind::Many(Many {
                min,
                max,
                body,
                until,
            })
        }),
        (plain_expr(), inner.clone()).prop_map(|(times, body)| Kind::Repeat { times, body }),
        (name(), set, of(plain_expr()), inner.clone()).prop_map(|(var, set, except, body)| Kind::Each {
            var,
            set,
            except,
            body
        }),
        (cel(), inner).prop_map(|(fact, body)| Kind::If { fact, body }),
    ]
    .boxed()
}

fn story() -> BoxedStrategy<Vec<Stmt>> {
    let flat = lines(stmt(line()));
    let nested = lines(stmt(prop_oneof![2 => line(), 1 => block(flat)].boxed()));
    lines(stmt(prop_oneof![2 => line(), 1 => block(nested)].boxed()))
}

fn pics() -> impl Strategy<Value = Pics> {
    let leaf = prop_oneof![
        select(vec!["Core", "C-10.2", "fixed_cable"]).prop_map(|c| Pics::Code(c.to_owned())),
        (-2i64..9).prop_map(|value| Pics::Compare {
            code: "connectors".to_owned(),
            op: CompareOp::Ne,
            value
        }),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            inner.prop_map(|p| Pics::Not(Box::new(p))),
            pair.clone()
                .prop_map(|(l, r)| Pics::And(Box::new(l), Box::new(r))),
            pair.prop_map(|(l, r)| Pics::Or(Box::new(l), Box::new(r))),
        ]
    })
}

fn spec() -> impl Strategy<Value = SpecRef> {
    vec(text(), 0..3).prop_map(|clauses| SpecRef {
        document: "OCPP-1.6-errata".to_owned(),
        clauses,
        span: AT,
    })
}

fn header() -> impl Strategy<Value = Header> {
    let covers = vec(select(vec!["TC_010_CS", "TC_A_01_CS"]), 0..3).prop_map(|ids| {
        ids.into_iter()
            .map(|id| Covers {
                id: id.to_owned(),
                span: AT,
            })
            .collect::<Vec<_>>()
    });
    let for_each = vec(
        (name(), vec(expr(), 0..3)).prop_map(|(name, values)| ForEach { name, values }),
        0..2,
    );
    let note = (any::<bool>(), text()).prop_map(|(derived, text)| Note { derived, text });
    let tests = of(vec(select(vec!["station", "csms"]).prop_map(word), 1..3));
    let requires = of(pics().prop_map(|expr| Requires { expr, span: AT }));
    let level = of(Just(word("should")));
    (
        vec(spec(), 0..2),
        covers,
        requires,
        vec(given(), 0..3),
        tests,
        for_each,
        level,
        vec(note, 0..2),
        any::<bool>(),
    )
        .prop_map(
            |(spec, covers, requires, given, tests, for_each, level, notes, strict)| Header {
                spec,
                covers,
                requires,
                given,
                tests,
                for_each,
                level,
                notes,
                strict,
            },
        )
}

fn item() -> BoxedStrategy<Item> {
    let case = (vec(comment(), 0..2), text(), header(), story(), of(story())).prop_map(
        |(comments, title, header, body, finally)| {
            let finally = finally.unwrap_or_default();
            Item::Case(Case {
                comments,
                id: "a/b-1".to_owned(),
                title,
                header,
                body,
                finally,
                span: AT,
                head: AT,
            })
        },
    );
    let export = (name(), cel()).prop_map(|(name, value)| Export { name, value });
    let way = (of(text()), story()).prop_map(|(title, body)| Way {
        title,
        body,
        span: AT,
    });
    let parts = (
        (vec(comment(), 0..2), text(), vec(name(), 0..3), any::<bool>()),
        (
            vec(spec(), 0..2),
            vec(given(), 0..2),
            of(cel()),
            vec(export, 0..3),
            vec(way, 1..3),
        ),
    );
    let state = parts.prop_map(
        |((comments, title, params, phrase), (spec, given, probe, exports, mut ways))| {
            if phrase {
                ways.truncate(1);
                ways[0].title = None;
            }
            let probe = if phrase { None } else { probe };
            let name = word("charging");
            Item::State(State {
                comments,
                name,
                title,
                params,
                phrase,
                spec,
                given,
                probe,
                exports,
                ways,
                span: AT,
            })
        },
    );
    prop_oneof![2 => case, 1 => state].boxed()
}

/// The IR without places.
fn meaning(file: &File) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| name != "span" && name != "head");
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(file).expect("the IR is plain data");
    strip(&mut value);
    value
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn parsing_what_was_printed_gives_the_same(items in vec(item(), 1..3), tail in vec(comment(), 0..2)) {
        let file = File { items, tail };
        let text = print(&file);
        let (again, found) = parse("t", &text);
        prop_assert!(found.is_empty(), "{}\n{}", found[0].line(&text), text);
        prop_assert_eq!(meaning(&file), meaning(&again), "{}", text);
        prop_assert_eq!(&text, &print(&again));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "([a-z:{}()\\[\\]\"'#=>$., \n0-9-]|station: |case a \"t\"\n|end\n|either\n|or\n|many |never |check ){0,60}") {
        let (file, found) = parse("t", &text);
        prop_assert!(found.len() <= plugfest_case::MAX_ERRORS);
        for diagnostic in &found {
            prop_assert!(diagnostic.span.start <= diagnostic.span.end);
            prop_assert!(diagnostic.span.end as usize <= text.len());
        }
        if found.is_empty() {
            let printed = print(&file);
            prop_assert_eq!(meaning(&file), meaning(&parse("t", &printed).0), "{}", printed);
        }
    }
}

/// An answer with a word before it belongs to the `many` above it, as one without.
#[test]
fn an_unprompted_answer_stays_inside_its_many() {
    let text = "state charging \"Charging\"\n  reach\n    many station: Heartbeat {}\n      unprompted station: => {}\n  end\nend\n";
    let (file, found) = parse("t", text);
    assert!(found.is_empty(), "{}", found[0].line(text));
    let Item::State(state) = &file.items[0] else {
        panic!("a state was written");
    };
    let Kind::Many(many) = &state.ways[0].body[0].kind else {
        panic!("a `many` was written");
    };
    assert_eq!(many.body.len(), 2);
    assert_eq!(state.ways[0].body.len(), 1);
    let printed = print(&file);
    assert_eq!(meaning(&file), meaning(&parse("t", &printed).0), "{printed}");
}
