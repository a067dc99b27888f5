//! Lines from a pipe, bounded: a process may print without end and without line breaks.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads lines of at most `max` bytes. A longer one is given out as soon as it is known to be one, so that an endless line
/// is not waited for; its rest is dropped.
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    input: R,
    max: usize,
    chunk: Box<[u8]>,
    filled: std::ops::Range<usize>,
    line: Vec<u8>,
    /// Set once the line has more than `max` bytes.
    cut: bool,
    /// Set while the rest of a line that was given out is dropped.
    skipping: bool,
    ended: bool,
}

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The text; bytes that are not UTF-8 are replaced.
    pub(crate) text: String,
    /// True where the line was longer than the limit.
    pub(crate) cut: bool,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// A reader of lines of at most `max` bytes.
    pub(crate) fn new(input: R, max: usize) -> Self {
        let chunk = vec![0; 4096].into_boxed_slice();
        Self {
            input,
            max,
            chunk,
            filled: 0..0,
            line: Vec::new(),
            cut: false,
            skipping: false,
            ended: false,
        }
    }

    /// The next line, the last one also without its end; `None` at the end of the stream. Cancel-safe.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let bytes = &self.chunk[self.filled.clone()];
            let newline = bytes.iter().position(|&byte| byte == b'\n');
            self.keep(newline.unwrap_or(bytes.len()));
            if newline.is_some() {
                self.filled.start += 1;
                if !std::mem::take(&mut self.skipping) {
                    return Ok(Some(self.take_line()));
                }
            } else if self.cut {
                self.skipping = true;
                return Ok(Some(self.take_line()));
            } else if self.ended {
                return Ok((!self.line.is_empty()).then(|| self.take_line()));
            } else {
                let count = self.input.read(&mut self.chunk).await?;
                self.filled = 0..count;
                self.ended = count == 0;
            }
        }
    }

    /// Moves `count` bytes from the chunk to the line, as far as the line has room and is wanted.
    fn keep(&mut self, count: usize) {
        let start = self.filled.start;
        self.filled.start += count;
        if !self.skipping {
            let room = self.max - self.line.len();
            self.line
                .extend_from_slice(&self.chunk[start..start + count.min(room)]);
            self.cut |= count > room;
        }
    }

    fn take_line(&mut self) -> Line {
        let mut bytes = std::mem::take(&mut self.line);
        if !self.cut && bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        Line {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            cut: std::mem::take(&mut self.cut),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &[u8], max: usize) -> Vec<(String, bool)> {
        let mut reader = LineReader::new(input, max);
        let mut lines = Vec::new();
        while let Some(line) = reader.next().await.unwrap() {
            lines.push((line.text, line.cut));
        }
        lines
    }

    fn whole(text: &str) -> (String, bool) {
        (text.to_owned(), false)
    }

    #[tokio::test]
    async fn lines_end_with_either_ending_or_the_stream() {
        assert_eq!(
            lines(b"a\r\n\nlast", 10).await,
            [whole("a"), whole(""), whole("last")]
        );
        assert_eq!(lines(b"", 10).await, []);
    }

    #[tokio::test]
    async fn long_lines_are_cut_and_the_next_one_is_whole() {
        let input = [vec![b'x'; 10_000], b"\nnext".to_vec()].concat();
        assert_eq!(lines(&input, 4).await, [("xxxx".to_owned(), true), whole("next")]);
        assert_eq!(lines(b"abcd\n", 4).await, [whole("abcd")]);
    }

    #[tokio::test]
    async fn an_endless_line_is_not_waited_for() {
        let mut reader = LineReader::new(tokio::io::repeat(b'x'), 4);
        assert_eq!(
            reader.next().await.unwrap(),
            Some(Line {
                text: "xxxx".to_owned(),
                cut: true
            })
        );
        assert_eq!(lines(b"abcdefgh", 4).await, [("abcd".to_owned(), true)]);
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(lines(b"a\xffb\n", 10).await, [whole("a\u{fffd}b")]);
    }
}
