//! One WebSocket connection: a pump between a byte stream and two small bounded queues.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::stream::BoxStream;

/// The largest message that a device reads, in bytes.
const LARGEST_MESSAGE: usize = 1024 * 1024;
/// How many messages wait for the other half of the device before the stream is left unread.
const WAITING_MESSAGES: usize = 16;
/// How many messages wait to be written before the peer counts as stuck.
const UNWRITTEN_MESSAGES: usize = 256;
/// How long one message may take to be written.
const WRITING_LIMIT: Duration = Duration::from_secs(30);
/// How long the other side may take to finish the closing handshake.
const CLOSING_LIMIT: Duration = Duration::from_secs(5);

/// What came over the connection.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A text message.
    Text(String),
    /// An answer to a ping.
    Pong,
    /// A text message that is no UTF-8. The connection is over with it (RFC 6455 §8.1).
    Garbled,
}

/// What is to go over the connection.
#[derive(Debug)]
pub(crate) enum Say {
    /// A text message.
    Text(String),
    /// A WebSocket ping.
    Ping,
    /// The closing handshake; nothing is said after it.
    Close(CloseCode),
}

/// A connection after its handshake. Bytes only move while [`Link::hear`] is awaited.
pub(crate) struct Link {
    incoming: mpsc::Receiver<Heard>,
    outgoing: mpsc::Sender<Say>,
    pump: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Small buffers, bounded messages.
pub(crate) fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * LARGEST_MESSAGE)
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE))
}

impl Link {
    pub(crate) fn new(socket: WebSocketStream<BoxStream>) -> Self {
        let (heard, incoming) = mpsc::channel(WAITING_MESSAGES);
        let (outgoing, said) = mpsc::channel(UNWRITTEN_MESSAGES);
        Self {
            incoming,
            outgoing,
            pump: Some(Box::pin(pump(socket, heard, said))),
        }
    }

    /// Queues something to be written. False where the peer does not take what was said before, or is gone.
    #[must_use = "false means that the peer is stuck or gone"]
    pub(crate) fn say(&self, what: Say) -> bool {
        self.outgoing.try_send(what).is_ok()
    }

    /// The next thing that comes; `None` once the connection is over. Safe to drop and call again.
    pub(crate) async fn hear(&mut self) -> Option<Heard> {
        loop {
            let Some(pump) = &mut self.pump else {
                return self.incoming.recv().await;
            };
            tokio::select! {
                biased;
                heard = self.incoming.recv() => return heard,
                () = pump => self.pump = None,
            }
        }
    }
}

async fn pump(
    mut socket: WebSocketStream<BoxStream>,
    heard: mpsc::Sender<Heard>,
    mut said: mpsc::Receiver<Say>,
) {
    loop {
        tokio::select! {
            biased;
            what = said.recv() => {
                let message = match what {
                    // The owner dropped the link: the line is cut, without a word.
                    None => return,
                    Some(Say::Text(text)) => Message::text(text),
                    Some(Say::Ping) => Message::Ping(Bytes::new()),
                    Some(Say::Close(code)) => return close(socket, code).await,
                };
                let written = tokio::time::timeout(WRITING_LIMIT, socket.send(message)).await;
                if !matches!(written, Ok(Ok(()))) {
                    return;
                }
            }
            message = next(&mut socket, &heard) => match message {
                None => return,
                Some((room, None)) => return room.send(Heard::Garbled),
                Some((room, Some(Message::Text(text)))) => room.send(Heard::Text(text.as_str().to_owned())),
                Some((room, Some(Message::Pong(_)))) => room.send(Heard::Pong),
                // Pings are answered by the library; OCPP-J speaks in text, so binary messages say nothing.
                Some(_) => {}
            }
        }
    }
}

/// Reads only while there is room for what is read, so that a flood is held back by the stream itself. A message that is
/// no UTF-8 is `None` in its room.
async fn next<'a>(
    socket: &mut WebSocketStream<BoxStream>,
    heard: &'a mpsc::Sender<Heard>,
) -> Option<(mpsc::Permit<'a, Heard>, Option<Message>)> {
    let room = heard.reserve().await.ok()?;
    match socket.next().await? {
        Ok(message) => Some((room, Some(message))),
        Err(Error::Utf8(_)) => Some((room, None)),
        Err(_) => None,
    }
}

async fn close(mut socket: WebSocketStream<BoxStream>, code: CloseCode) {
    let goodbye = async {
        if socket
            .close(Some(CloseFrame {
                code,
                reason: "".into(),
            }))
            .await
            .is_ok()
        {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    // The line is dropped either way; a peer that does not say goodbye loses nothing but our patience.
    let _unfinished = tokio::time::timeout(CLOSING_LIMIT, goodbye).await;
}
