//! A conversation as a small sequence: who said what to whom, and when.

use plugfest_judge::{Finding, Row};

use crate::text::{cut, one_line};

/// The rows as text, one line each, of at most about `width` characters. Rows that a finding points to are marked.
pub fn sequence(rows: &[Row], findings: &[Finding], width: usize) -> Vec<String> {
    let decided = |seq: u64| findings.iter().any(|finding| finding.event == Some(seq));
    let ends = rows
        .iter()
        .map(|row| ends(row).chars().count())
        .max()
        .unwrap_or(0);
    let line = |row: &Row| {
        let mark = if decided(row.seq) { '►' } else { ' ' };
        let head = format!(
            "{mark} {}  {:ends$}  {:<9}",
            time(row.ms),
            ends_of(row),
            label(row)
        );
        let room = width.saturating_sub(head.chars().count() + 1).max(20);
        let said = said(row);
        format!("{head} {}", shortened(&one_line(&said), room))
            .trim_end()
            .to_owned()
    };
    rows.iter().map(line).collect()
}

/// The last rows up to the one that a finding points to; the last ones at all where it points to none.
pub(crate) fn around<'r>(rows: &'r [Row], finding: Option<&Finding>, most: usize) -> &'r [Row] {
    let decided = finding.and_then(|finding| finding.event);
    // An event without a row (a deadline, say) stands behind the rows before it.
    let end = decided.map_or(rows.len(), |seq| rows.partition_point(|row| row.seq <= seq));
    &rows[end.saturating_sub(most)..end]
}

/// The row that a finding points to.
pub(crate) fn row_of<'r>(rows: &'r [Row], finding: &Finding) -> Option<&'r Row> {
    rows.iter().find(|row| Some(row.seq) == finding.event)
}

/// True for findings of two rules about one place of one message: a line of the case, say, and a rule that always
/// holds.
pub(crate) fn same_place(one: &Finding, other: &Finding) -> bool {
    let within = |a: &Option<String>, b: &Option<String>| match (a.as_deref(), b.as_deref()) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    one.rule != other.rule
        && one.event.is_some()
        && one.event == other.event
        && within(&one.pointer, &other.pointer)
}

/// `CALL`, `RESULT`, `ERROR`; other kinds as they are.
pub(crate) fn label(row: &Row) -> String {
    match row.kind.as_str() {
        "call" => "CALL".to_owned(),
        "result" => "RESULT".to_owned(),
        "error" => "ERROR".to_owned(),
        other => one_line(other).into_owned(),
    }
}

/// `station → csms`, `driver`
pub(crate) fn ends_of(row: &Row) -> String {
    one_line(&ends(row)).into_owned()
}

/// The name of a message and its payload; the text as it came where there is no payload to show.
pub(crate) fn said(row: &Row) -> String {
    let is_message = matches!(row.kind.as_str(), "call" | "result");
    let text = match &row.payload {
        Some(payload) if is_message => payload.to_string(),
        _ => row.text.clone(),
    };
    if row.name.is_empty() {
        text
    } else {
        format!("{} {text}", row.name)
    }
}

/// Seconds since the case began: `12.034`
pub(crate) fn time(ms: u64) -> String {
    format!("{:>4}.{:03}", ms / 1_000, ms % 1_000)
}

fn ends(row: &Row) -> String {
    if row.to.is_empty() {
        row.from.clone()
    } else {
        format!("{} → {}", row.from, row.to)
    }
}

fn shortened(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        text.to_owned()
    } else {
        cut(text, room).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use plugfest_judge::{Level, Verdict};
    use plugfest_protocol::{Timestamp, object};

    use super::*;

    fn row(seq: u64, from: &str, to: &str, kind: &str, name: &str, text: &str) -> Row {
        Row {
            seq,
            at: Timestamp::from_secs(0),
            ms: seq * 1_001,
            from: from.to_owned(),
            to: to.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            text: text.to_owned(),
            payload: None,
            line: None,
        }
    }

    fn finding(event: Option<u64>) -> Finding {
        Finding {
            rule: "a/b".to_owned(),
            verdict: Verdict::Fail,
            level: Level::Must,
            clause: "1".to_owned(),
            message: "m".to_owned(),
            expected: String::new(),
            actual: String::new(),
            pointer: None,
            event,
            line: None,
            parts: Vec::new(),
            count: 1,
            again: Vec::new(),
        }
    }

    #[test]
    fn each_row_is_one_harmless_line() {
        let mut call = row(
            1,
            "station",
            "csms",
            "call",
            "Heartbeat",
            "[2,\"1\",\"Heartbeat\",{}]",
        );
        call.payload = Some(object! { "a": 1 });
        let rows = [
            call,
            row(12, "driver", "", "act", "ev.plug", "\u{1b}[2J\n"),
            row(13, "csms", "station", "frame", "", "x"),
        ];
        let lines = sequence(&rows, &[finding(Some(13))], 100);
        assert_eq!(
            lines[0],
            "     1.001  station → csms  CALL      Heartbeat {\"a\":1}"
        );
        assert_eq!(
            lines[1],
            "    12.012  driver          act       ev.plug \\u{1b}[2J\\n"
        );
        assert_eq!(lines[2], "►   13.013  csms → station  frame     x");
    }

    #[test]
    fn long_texts_are_cut() {
        let rows = [row(1, "a", "b", "frame", "", &"x".repeat(10_000))];
        let line = &sequence(&rows, &[], 80)[0];
        assert!(
            line.ends_with("x… (10000 characters)") && line.chars().count() < 110,
            "{line}"
        );
    }

    #[test]
    fn the_window_ends_at_what_decided() {
        let rows: Vec<Row> = [1, 3, 5, 7].map(|seq| row(seq, "a", "b", "call", "", "")).into();
        let seqs = |finding: Option<&Finding>, most| {
            around(&rows, finding, most)
                .iter()
                .map(|r| r.seq)
                .collect::<Vec<_>>()
        };
        assert_eq!(seqs(None, 2), [5, 7]);
        assert_eq!(seqs(Some(&finding(Some(5))), 2), [3, 5]);
        assert_eq!(seqs(Some(&finding(Some(6))), 9), [1, 3, 5]);
        assert_eq!(seqs(Some(&finding(None)), 1), [7]);
        assert_eq!(row_of(&rows, &finding(Some(3))).map(|r| r.seq), Some(3));
        assert_eq!(row_of(&rows, &finding(Some(4))), None);
    }
}
