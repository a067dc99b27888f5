//! What is measured and how it is shown: medians of ratios, so that a machine that is busy for a while does not decide.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// One line of the table: a figure of ours and the same figure of a peer, measured in turns.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    /// What is measured.
    pub(super) name: String,
    /// Its unit.
    pub(super) unit: &'static str,
    /// Whom it is compared with.
    pub(super) peer: String,
    /// Ours and the peer's, one pair for each round.
    pub(super) pairs: Vec<(f64, f64)>,
    /// What is aimed at, if anything.
    pub(super) aim: Option<Aim>,
}

/// What a figure should come to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aim {
    /// Ours divided by the peer's is at least this.
    RatioFrom(f64),
    /// Ours is below this.
    Below(f64),
}

impl Figure {
    fn ours(&self) -> f64 {
        median(self.pairs.iter().map(|(ours, _)| *ours))
    }

    fn theirs(&self) -> f64 {
        median(self.pairs.iter().map(|(_, theirs)| *theirs))
    }

    /// The median of the rounds' ratios, which is not the ratio of the medians.
    fn ratio(&self) -> f64 {
        median(self.pairs.iter().map(|(ours, theirs)| ours / theirs))
    }

    fn met(&self) -> Option<bool> {
        self.aim.map(|aim| match aim {
            Aim::RatioFrom(least) => self.ratio() >= least,
            Aim::Below(most) => self.ours() < most,
        })
    }

    fn json(&self) -> Value {
        let aim = self.aim.map(|aim| match aim {
            Aim::RatioFrom(least) => json!({ "ratio_from": least }),
            Aim::Below(most) => json!({ "below": most }),
        });
        json!({
            "name": self.name,
            "unit": self.unit,
            "peer": self.peer,
            "ours": self.ours(),
            "theirs": self.theirs(),
            "ratio": self.ratio(),
            "aim": aim,
            "met": self.met(),
            "rounds": self.pairs.iter().map(|(ours, theirs)| json!({ "ours": ours, "theirs": theirs })).collect::<Vec<_>>(),
        })
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// All figures as a document.
pub(super) fn document(figures: &[Figure], rounds: usize) -> Value {
    json!({
        "schema": "plugfest-bench/1",
        "version": env!("CARGO_PKG_VERSION"),
        "machine": {
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
            "cores": std::thread::available_parallelism().map_or(1, usize::from),
        },
        "rounds": rounds,
        "figures": figures.iter().map(Figure::json).collect::<Vec<_>>(),
    })
}

/// All figures as a table of Markdown.
pub(super) fn table(figures: &[Figure]) -> String {
    let head = ["figure", "ours", "peer", "theirs", "ratio", "aim"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(figures.iter().map(|figure| {
        [
            figure.name.clone(),
            shown(figure.ours(), figure.unit),
            figure.peer.clone(),
            shown(figure.theirs(), figure.unit),
            format!("{:.2}", figure.ratio()),
            aimed(figure),
        ]
    }));
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _infallible = write!(out, "| {cell:<width$} ");
        }
        out.push_str("|\n");
        if number == 0 {
            for width in &widths {
                let _infallible = write!(out, "|{}", "-".repeat(width + 2));
            }
            out.push_str("|\n");
        }
    }
    out
}

fn aimed(figure: &Figure) -> String {
    let aim = match figure.aim {
        None => return String::new(),
        Some(Aim::RatioFrom(least)) => format!("≥ {least}"),
        Some(Aim::Below(most)) => format!("< {}", shown(most, figure.unit)),
    };
    let met = if figure.met() == Some(true) {
        "met"
    } else {
        "missed"
    };
    format!("{aim}: {met}")
}

/// Three digits that say something.
fn shown(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(pairs: &[(f64, f64)], aim: Aim) -> Figure {
        Figure {
            name: "round trips".to_owned(),
            unit: "/s",
            peer: "bare".to_owned(),
            pairs: pairs.to_vec(),
            aim: Some(aim),
        }
    }

    #[test]
    fn one_round_on_a_busy_machine_decides_nothing() {
        let figure = figure(&[(40.0, 100.0), (1.0, 100.0), (50.0, 100.0)], Aim::RatioFrom(0.3));
        assert!((figure.ratio() - 0.4).abs() < 1e-9);
        assert_eq!(figure.met(), Some(true));
        assert_eq!(document(&[figure], 3)["figures"][0]["met"], true);
    }

    #[test]
    fn a_missed_aim_is_called_so() {
        let slow = figure(&[(20.0, 100.0)], Aim::RatioFrom(0.3));
        let late = figure(&[(60.0, 3.0)], Aim::Below(50.0));
        let table = table(&[slow, late]);
        assert!(table.contains("≥ 0.3: missed"), "{table}");
        assert!(table.contains("< 50.0 /s: missed"), "{table}");
    }
}
