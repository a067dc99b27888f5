//! The formatter loses nothing: what it prints reads as the same, and printing that again changes nothing.

use std::path::{Path, PathBuf};

use plugfest_case::{Library, Natives, Source, format, parse};
use serde_json::Value;

/// The IR without places.
fn meaning(text: &str) -> Value {
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
    let (file, found) = parse("t", text);
    assert_eq!(found, [], "{text}");
    let mut value = serde_json::to_value(&file).expect("the IR is plain data");
    strip(&mut value);
    value
}

fn round(name: &str, text: &str) -> String {
    let once = format(name, text).unwrap_or_else(|e| panic!("{name}: {}", e[0].line(text)));
    let twice = format(name, &once).unwrap_or_else(|e| panic!("{name}: {}\n{once}", e[0].line(&once)));
    assert_eq!(once, twice, "{name}");
    assert_eq!(meaning(text), meaning(&once), "{name}");
    assert_eq!(comments(text), comments(&once), "{name}");
    once
}

/// The words of all comments, in any order: the header's go above the case.
fn comments(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text
        .lines()
        .filter_map(|line| {
            line.split_once(" # ")
                .map(|(_, c)| c)
                .or_else(|| line.trim().strip_prefix('#'))
        })
        .flat_map(|c| c.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    words.sort();
    words
}

fn files(folder: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ends));
        } else if ends.iter().any(|end| path.to_string_lossy().ends_with(end)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn the_probes_and_the_cases_of_the_project_keep_their_meaning() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for folder in [root.join("tests/probes"), root.join("../../testcases")] {
        for path in files(&folder, &[".case", ".state"]) {
            let text = std::fs::read_to_string(&path).expect("it is readable");
            round(&path.to_string_lossy(), &text);
            count += 1;
        }
    }
    assert!(count >= 12, "{count} files");
}

#[test]
fn the_family_of_negatives_is_written_in_the_canonical_layout() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testcases");
    let sources = files(&root, &[".case", ".state", ".toml"])
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("it is readable");
            Source::new(path.to_string_lossy(), text)
        });
    let (library, found) = Library::load(sources, &Natives::default());
    let mut count = 0;
    for loaded in library.cases().filter(|l| library.is_generated(&l.path)) {
        let layout =
            format(&loaded.path, &loaded.text).unwrap_or_else(|e| panic!("{}", e[0].line(&loaded.text)));
        assert_eq!(&*loaded.text, layout, "{}", loaded.path);
        count += 1;
    }
    assert!(count >= 50, "{count} cases, {found:?}");
}

#[test]
fn the_layout_is_canonical() {
    let text = r#"
# above
case a/b "T"  # beside
  covers TC_1_CS,
     TC_2   # two
  requires (A and (B or not C))
  spec OCPP-1.6 "4.2"
  given config(A:1,"b c":true if implemented),x,y(1,$c) as s
  strict
    # first

  act ev.plug(connector:1) as p # hand
  station#2: X(a:1){b:2 ,same_as(m)} should within 3s eventually
  csms: =>  error NotSupported or silence

  many (2..2) station: M { t: > 3 } as q until { z: [..] }   # many
  csms: => {}
  either # one
   wait 2*(a+1)
   # below
  or nothing within 3s
   optional
      station: Y
      # answer
      csms: => { }
   end
  end # closed
  never station: A, csms: B(x:1) for 2s per "1.2"
  check a &&
     b.all(x, x > 1) # c
finally
  do idle()
end
# tail
"#;
    let expected = r#"# above
# beside
# two
case a/b "T"
  spec       OCPP-1.6 "4.2"
  covers     TC_1_CS, TC_2
  requires   A and (B or not C)
  given      config(A: 1, "b c": true if implemented), x, y(1, $c) as s
  strict
  # first
  act        ev.plug(connector: 1) as p # hand
  eventually station#2: X(a: 1) { b: 2, same_as(m) } within 3s should
  csms:      => error NotSupported or silence

  many (2) station: M { t: > 3 } as q until { z: [..] } # many
  csms:      => {}
  either # one
    wait       2 * (a + 1)
    # below
  or nothing within 3s
    optional station: Y {}
    # answer
    csms:      => {}
  end # closed
  never      station: A, csms: B(x: 1) for 2s per "1.2"
  check      a && b.all(x, x > 1) # c
finally
  do         idle()
end

# tail
"#;
    assert_eq!(round("t", text), expected);
}

#[test]
fn long_lines_are_broken_at_their_brackets() {
    let field = "aLongNameOfAField";
    let fields: Vec<String> = (0..8)
        .map(|i| format!("{field}{i}: {{ inner: [1, 2, 3] }}"))
        .collect();
    let calls: Vec<String> = (0..8).map(|i| format!("Action{i}(connectorId: 1)")).collect();
    let text = format!(
        "case a \"t\"\n  given config({}), x\n  station: X(a: 1) {{ {} }} within 3s\n  never station: {} for 10s should\nend\n",
        (0..8)
            .map(|i| format!("Key{i}WithALongName: {i}"))
            .collect::<Vec<_>>()
            .join(", "),
        fields.join(", "),
        calls.join(", ")
    );
    let out = round("t", &text);
    assert!(out.lines().all(|l| l.chars().count() <= 110), "{out}");
    assert!(
        out.contains("  station: X(a: 1) {\n    aLongNameOfAField0: { inner: [1, 2, 3] },\n"),
        "{out}"
    );
    assert!(
        out.contains("\n  } within 3s\n  never for 10s should\n    station: Action0(connectorId: 1)\n"),
        "{out}"
    );
}

#[test]
fn a_block_is_kept_where_one_line_would_take_a_foreign_answer() {
    let out = round(
        "t",
        "case a \"t\"\n  optional\n    station: A {}\n  end\n  csms: => {}\nend\n",
    );
    assert!(
        out.contains("optional\n    station: A {}\n  end\n  csms:    => {}"),
        "{out}"
    );
}

#[test]
fn a_broken_file_is_not_formatted() {
    assert!(format("t", "case a \"t\"\n  wiat 1s\nend\n").is_err());
}
