//! A WebSocket connection over any byte stream: one object, one task, reading and writing at once.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::decoder::{Decoder, WireEvent};
use super::flaw::WireFlaw;
use super::frame::{Encoder, OutFrame};

/// Bytes read from the stream at a time. They live on the stack, so an idle connection holds no buffer.
const READ_SIZE: usize = 4 << 10;

/// Bytes that may wait for a peer that does not read.
const MAX_BACKLOG: usize = 8 << 20;

/// Capacity of the write buffer that is kept between messages.
const KEPT_CAPACITY: usize = 4 << 10;

/// What reading brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A message or a control frame.
    Message(WireEvent),
    /// Nothing more will come.
    Ended(Ending),
}

/// Why nothing more comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The peer ended its side of the stream. Whether it said goodbye tells [`Connection::saw_close`].
    Eof,
    /// The stream failed, for example by a reset.
    Failed {
        /// The kind of the error.
        kind: io::ErrorKind,
        /// Its text.
        message: String,
    },
    /// We stopped reading after a message beyond our limits.
    Stopped,
}

/// Bytes that went over the connection after the upgrade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes received.
    pub received: u64,
    /// Bytes handed to the stream.
    pub sent: u64,
}

/// An upgraded connection. Nothing is answered on its own, not even a ping: what is sent is the caller's to decide;
/// only a message beyond the limits is answered with close code 1009 or 1008.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    decoder: Decoder,
    encoder: Encoder,
    out: Vec<u8>,
    written: usize,
    unflushed: bool,
    sent: u64,
    write_error: Option<(io::ErrorKind, String)>,
    ending: Option<Ending>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection on a stream that is upgraded already.
    pub fn new(stream: S, decoder: Decoder, encoder: Encoder) -> Self {
        Self {
            stream,
            decoder,
            encoder,
            out: Vec::new(),
            written: 0,
            unflushed: false,
            sent: 0,
            write_error: None,
            ending: None,
        }
    }

    /// Waits for the next message while it writes what is queued. Cancel-safe: dropping the future loses nothing.
    pub async fn next(&mut self) -> Incoming {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Queues a frame; [`next`](Self::next) and [`flush`](Self::flush) write it.
    ///
    /// # Errors
    /// The stream has failed before, or the peer has left 8 MiB unread.
    pub fn queue(&mut self, frame: &OutFrame) -> io::Result<()> {
        self.may_queue()?;
        self.encoder.encode(frame, &mut self.out);
        Ok(())
    }

    /// Queues bytes as they are, frame or not.
    ///
    /// # Errors
    /// As [`queue`](Self::queue).
    pub fn queue_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.may_queue()?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes everything that is queued. Cancel-safe. It does not read: against a peer that writes and does not read
    /// it waits for ever, so bound it or use [`next`](Self::next), which does both.
    ///
    /// # Errors
    /// The stream failed.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write_out(cx)).await;
        match &self.write_error {
            Some((kind, message)) => Err(io::Error::new(*kind, message.clone())),
            None => Ok(()),
        }
    }

    /// Queues a frame and writes it.
    ///
    /// # Errors
    /// As [`queue`](Self::queue) and [`flush`](Self::flush).
    pub async fn send(&mut self, frame: &OutFrame) -> io::Result<()> {
        self.queue(frame)?;
        self.flush().await
    }

    /// Writes what is queued and ends our side of the stream (TCP FIN, TLS `close_notify`); the peer's side stays open.
    ///
    /// # Errors
    /// The stream failed.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await
    }

    /// Bytes queued and not yet taken by the stream.
    pub fn backlog(&self) -> usize {
        self.out.len() - self.written
    }

    /// Bytes over the connection so far; a caller that bounds silence inside a message watches `received`.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            received: self.decoder.bytes(),
            sent: self.sent,
        }
    }

    /// True between the first byte of a message and its last.
    pub fn is_mid_message(&self) -> bool {
        self.decoder.is_mid_message()
    }

    /// True after the peer's close frame has come.
    pub fn saw_close(&self) -> bool {
        self.decoder.saw_close()
    }

    /// Gives up on what is unfinished: the next events are the parts of it, then [`Ending::Stopped`].
    pub fn abandon(&mut self) {
        self.decoder.finish();
    }

    /// The stream below, for example to abort it.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream below; bytes that were read and not given out are lost.
    pub fn into_stream(self) -> S {
        self.stream
    }

    fn may_queue(&self) -> io::Result<()> {
        if let Some((kind, message)) = &self.write_error {
            return Err(io::Error::new(*kind, message.clone()));
        }
        if self.backlog() > MAX_BACKLOG {
            let message = format!(
                "the peer does not read: {} bytes wait to be written",
                self.backlog()
            );
            return Err(io::Error::new(io::ErrorKind::WriteZero, message));
        }
        Ok(())
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        let mut wrote = self.poll_write_out(cx);
        loop {
            if let Some(event) = self.decoder.next_event() {
                self.answer_excess(&event);
                return Poll::Ready(Incoming::Message(event));
            }
            if let Some(ending) = &self.ending {
                return Poll::Ready(Incoming::Ended(ending.clone()));
            }
            if self.decoder.has_stopped() {
                if wrote.is_ready() && self.backlog() > 0 {
                    wrote = self.poll_write_out(cx);
                }
                ready!(wrote);
                return Poll::Ready(Incoming::Ended(Ending::Stopped));
            }
            ready!(self.poll_read(cx));
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [const { MaybeUninit::uninit() }; READ_SIZE];
        let mut buffer = ReadBuf::uninit(&mut space);
        let ending = match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => {
                self.decoder.feed(buffer.filled());
                return Poll::Ready(());
            }
            Ok(()) => Ending::Eof,
            Err(error) => Ending::Failed {
                kind: error.kind(),
                message: error.to_string(),
            },
        };
        self.decoder.finish();
        self.ending = Some(ending);
        Poll::Ready(())
    }

    /// Writes as much as the stream takes; ready when nothing is left or the stream has failed. A failure is kept for
    /// the writer: what the peer sent before it must still be read.
    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.backlog() > 0 {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out[self.written..])) {
                Ok(0) => self.fail_writing(
                    io::ErrorKind::WriteZero,
                    "the stream takes no more bytes".to_owned(),
                ),
                Ok(count) => {
                    self.written += count;
                    self.sent += count as u64;
                    self.unflushed = true;
                }
                Err(error) => self.fail_writing(error.kind(), error.to_string()),
            }
        }
        self.written = 0;
        self.out.clear();
        if self.out.capacity() > KEPT_CAPACITY {
            self.out = Vec::new();
        }
        if self.unflushed {
            let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
            self.unflushed = false;
            if let Err(error) = flushed {
                self.fail_writing(error.kind(), error.to_string());
            }
        }
        Poll::Ready(())
    }

    fn fail_writing(&mut self, kind: io::ErrorKind, message: String) {
        self.write_error = Some((kind, message));
        self.out.clear();
        self.written = 0;
        self.unflushed = false;
    }

    fn answer_excess(&mut self, event: &WireEvent) {
        let excess = event.flaws.iter().find(|flaw| flaw.stops_reading());
        if let Some(code) = excess.and_then(WireFlaw::close_code)
            && self.write_error.is_none()
        {
            self.encoder.encode(&OutFrame::close(code, ""), &mut self.out);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::super::decoder::Limits;
    use super::super::frame::{Opcode, Side};
    use super::*;

    fn pair_with(limits: Limits, size: usize) -> (Connection<DuplexStream>, Connection<DuplexStream>) {
        let (near, far) = duplex(size);
        let end = |stream, side| {
            let encoder = Encoder::new(side, ChaCha8Rng::seed_from_u64(3));
            Connection::new(stream, Decoder::new(side, limits), encoder)
        };
        (end(near, Side::Client), end(far, Side::Server))
    }

    fn pair() -> (Connection<DuplexStream>, Connection<DuplexStream>) {
        pair_with(Limits::default(), 1 << 14)
    }

    async fn message(connection: &mut Connection<DuplexStream>) -> WireEvent {
        // On the paused clock a message that does not come fails the test at once.
        let next = tokio::time::timeout(std::time::Duration::from_secs(10), connection.next()).await;
        match next.expect("a message is on its way") {
            Incoming::Message(event) => event,
            Incoming::Ended(ending) => panic!("the stream ended: {ending:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn messages_go_both_ways_without_flaws() {
        let (mut client, mut server) = pair();
        client.send(&OutFrame::text("hello")).await.unwrap();
        let event = message(&mut server).await;
        assert_eq!(
            (event.text(), event.masked, event.flaws.as_slice()),
            (Some("hello"), true, &[][..])
        );
        server.send(&OutFrame::close(1000, "bye")).await.unwrap();
        let event = message(&mut client).await;
        assert_eq!(
            (event.close_code(), event.masked, event.flaws.as_slice()),
            (Some(1000), false, &[][..])
        );
        assert!(client.saw_close());
        assert_eq!(
            client.traffic(),
            Traffic {
                received: 7,
                sent: 11
            }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn two_ends_that_both_write_more_than_the_pipe_holds_do_not_block_each_other() {
        let (mut client, mut server) = pair();
        let large = "x".repeat(200_000);
        client.queue(&OutFrame::text(large.clone())).unwrap();
        server.queue(&OutFrame::text(large)).unwrap();
        let (at_server, at_client) = tokio::join!(message(&mut server), message(&mut client));
        assert_eq!((at_server.len, at_client.len), (200_000, 200_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_read_loses_nothing() {
        let (mut client, mut server) = pair_with(Limits::default(), 3);
        let frame = OutFrame::text("in small pieces");
        let writing = client.send(&frame);
        let reading = async {
            loop {
                let event = tokio::select! {
                    biased;
                    event = server.next() => event,
                    () = tokio::task::yield_now() => continue,
                };
                return event;
            }
        };
        let (sent, event) = tokio::join!(writing, reading);
        sent.unwrap();
        assert!(matches!(event, Incoming::Message(event) if event.text() == Some("in small pieces")));
    }

    #[tokio::test(start_paused = true)]
    async fn too_large_a_message_is_answered_with_1009_and_reading_stops() {
        let limits = Limits {
            max_message: 10,
            ..Limits::default()
        };
        let (mut client, mut server) = pair_with(limits, 1 << 14);
        client.send(&OutFrame::text("eleven bytes")).await.unwrap();
        client.send(&OutFrame::text("after")).await.unwrap();
        assert_eq!(message(&mut server).await.flaws, [WireFlaw::TooLarge(12)]);
        assert_eq!(server.next().await, Incoming::Ended(Ending::Stopped));
        let goodbye = message(&mut client).await;
        assert_eq!(
            (goodbye.opcode, goodbye.close_code()),
            (Opcode::CLOSE, Some(1009))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_stream_is_told_after_what_came_before() {
        let (mut client, mut server) = pair();
        client.queue(&OutFrame::text("last")).unwrap();
        client.queue_bytes(&[0x81]).unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(message(&mut server).await.text(), Some("last"));
        assert_eq!(
            message(&mut server).await.flaws,
            [WireFlaw::Truncated { missing: 1 }]
        );
        assert_eq!(server.next().await, Incoming::Ended(Ending::Eof));
        assert_eq!(server.next().await, Incoming::Ended(Ending::Eof));
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_before_a_failed_write_is_still_read() {
        let (mut client, mut server) = pair();
        client.send(&OutFrame::text("last")).await.unwrap();
        drop(client);
        assert!(server.send(&OutFrame::text("too late")).await.is_err());
        assert!(server.queue(&OutFrame::text("again")).is_err());
        assert_eq!(message(&mut server).await.text(), Some("last"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_an_error_in_bounded_memory() {
        let (mut client, _server) = pair();
        let large = OutFrame::binary(vec![0; 1 << 20]);
        let refused = (0..20).find(|_| client.queue(&large).is_err());
        assert_eq!(
            refused,
            Some(8),
            "8 MiB may wait, and what crosses the line is the last"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn raw_bytes_go_out_as_they_are() {
        let (mut client, server) = pair();
        client.queue_bytes(b"junk").unwrap();
        client.flush().await.unwrap();
        let mut bytes = [0; 4];
        server.into_stream().read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"junk");
    }

    #[tokio::test(start_paused = true)]
    async fn an_unfinished_message_can_be_abandoned() {
        let (mut client, mut server) = pair();
        client
            .send(&OutFrame {
                fin: false,
                ..OutFrame::text("half")
            })
            .await
            .unwrap();
        client.send(&OutFrame::ping("")).await.unwrap();
        assert_eq!(message(&mut server).await.opcode, Opcode::PING);
        assert!(server.is_mid_message());
        server.abandon();
        assert_eq!(message(&mut server).await.text(), Some("half"));
        assert_eq!(server.next().await, Incoming::Ended(Ending::Stopped));
    }
}
