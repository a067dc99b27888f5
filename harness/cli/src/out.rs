//! Where the commands write, and in which colours.

use std::io::{self, IsTerminal as _, Write};

use crate::args::Global;

/// Standard output and how it is decorated.
#[derive(Debug)]
pub(crate) struct Out {
    stdout: io::BufWriter<io::Stdout>,
    /// Colours on standard output.
    pub(crate) colour: bool,
    /// Colours on standard error.
    pub(crate) colour_err: bool,
    /// Only results, no remarks.
    pub(crate) quiet: bool,
    /// How much more is wanted.
    pub(crate) verbose: u8,
}

impl Out {
    /// As the arguments and the environment want it.
    pub(crate) fn new(global: &Global) -> Self {
        // See https://no-color.org: any value but an empty one.
        let plain = global.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            stdout: io::BufWriter::new(io::stdout()),
            colour: !plain && io::stdout().is_terminal(),
            colour_err: !plain && io::stderr().is_terminal(),
            quiet: global.quiet,
            verbose: global.verbose,
        }
    }

    /// A remark on standard error, which `--quiet` leaves out.
    pub(crate) fn remark(&self, text: &str) -> io::Result<()> {
        if self.quiet {
            Ok(())
        } else {
            writeln!(io::stderr(), "{text}")
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stdout.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}

/// Rows as a table with aligned columns; the last column is not padded.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |n: usize| {
        rows.iter()
            .filter_map(|row| row.get(n))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns).map(|n| wide(n).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [
            vec!["a".to_owned(), "longer".into(), "x".into()],
            vec!["ßß".into(), "b".into(), "yy".into()],
        ];
        assert_eq!(table(&rows), "a   longer  x\nßß  b       yy\n");
        assert_eq!(table(&[]), "");
    }
}
