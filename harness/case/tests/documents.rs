//! The grammar and the reference stand beside the parser: no word of the language is missing in them, and their
//! examples parse.

use std::path::Path;

use plugfest_case::{KEYWORDS, format, parse, verbs};

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_grammar_has_every_word_and_fits_two_pages() {
    let grammar = document("grammar.txt");
    let missing: Vec<&&str> = KEYWORDS
        .iter()
        .filter(|word| !grammar.contains(&format!("'{word}'")))
        .collect();
    assert_eq!(missing, [""; 0].iter().collect::<Vec<_>>());
    // A page of print has 60 lines or so.
    assert!(
        grammar.lines().count() <= 120,
        "{} lines",
        grammar.lines().count()
    );
    // And the other way round: whatever word it quotes, the lexer knows or it is a role.
    for quoted in grammar.split('\'').skip(1).step_by(2) {
        let word = quoted.len() > 1 && quoted.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
        let known = KEYWORDS.contains(&quoted) || plugfest_case::ROLES.contains(&quoted) || quoted == "word";
        assert!(!word || known, "`{quoted}` is no word of the language");
    }
}

/// The indented or fenced examples of a document: whole files begin with `case`, `state` or `phrase`, others are lines
/// of a story.
fn examples(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("```case\n") {
        let (body, next) = after.split_once("```").expect("the example is closed");
        found.push(body.to_owned());
        rest = next;
    }
    found
}

#[test]
fn the_examples_of_the_documents_parse() {
    for (name, least) in [("language.md", 11), ("matching.md", 13)] {
        let examples = examples(&document(name));
        assert!(examples.len() >= least, "{name} has {} examples", examples.len());
        for example in examples {
            let whole = ["case ", "state ", "phrase ", "#"]
                .iter()
                .any(|word| example.starts_with(word));
            let text = if whole {
                example
            } else {
                format!("case a \"t\"\n{example}end\n")
            };
            let (_, found) = parse(name, &text);
            assert_eq!(found, [], "{name}: {text}");
            assert!(format(name, &text).is_ok());
        }
    }
}

#[test]
fn the_reference_names_every_verb_and_statement() {
    let reference = document("language.md");
    for verb in verbs::VERBS {
        assert!(reference.contains(&format!("`{}", verb.name)), "{}", verb.name);
    }
    for word in KEYWORDS {
        assert!(reference.contains(word), "{word}");
    }
}
