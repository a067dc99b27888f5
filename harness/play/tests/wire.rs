//! The wire layer against an implementation that others wrote, and against itself with anything at all.

use std::error::Error;

use futures_util::{SinkExt, StreamExt};
use plugfest_play::wire::{
    Acceptance, Connection, Decoder, Encoder, Ending, HeadLimits, Incoming, Length, Limits, Mask, Opcode,
    OutFrame, RequestUpgrade, Side, WireEvent, WireFlaw, receive_upgrade,
};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

type Outcome = Result<(), Box<dyn Error>>;

fn keys() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(11)
}

async fn message(connection: &mut Connection<DuplexStream>) -> WireEvent {
    // On the paused clock a message that does not come fails the test at once.
    let next = tokio::time::timeout(std::time::Duration::from_secs(10), connection.next()).await;
    match next.expect("a message is on its way") {
        Incoming::Message(event) => event,
        Incoming::Ended(ending) => panic!("the stream ended: {ending:?}"),
    }
}

/// Their client, our server, with a subprotocol agreed on.
async fn their_client() -> Result<(WebSocketStream<DuplexStream>, Connection<DuplexStream>), Box<dyn Error>> {
    let (near, far) = duplex(1 << 14);
    let mut request = "ws://csms.example/ocpp/CP%201".into_client_request()?;
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", "ocpp1.6".parse()?);
    let serve = async {
        let upgrade = receive_upgrade(far, &HeadLimits::default()).await?;
        assert_eq!(upgrade.head.flaws, []);
        assert_eq!(upgrade.head.identity(), Some(Ok("CP 1".to_owned())));
        let chosen = upgrade.head.subprotocols().next().map(str::to_owned);
        upgrade
            .accept(
                &Acceptance {
                    subprotocol: chosen,
                    ..Acceptance::default()
                },
                Limits::default(),
                keys(),
            )
            .await
    };
    let (client, server) = tokio::join!(tokio_tungstenite::client_async(request, near), serve);
    let (client, response) = client?;
    assert_eq!(response.headers()["sec-websocket-protocol"], "ocpp1.6");
    Ok((client, server?))
}

/// Our client, their server.
async fn their_server() -> Result<(Connection<DuplexStream>, WebSocketStream<DuplexStream>), Box<dyn Error>> {
    let (near, far) = duplex(1 << 14);
    #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
    let choose = |request: &Request, mut response: Response| {
        assert_eq!(request.headers()["sec-websocket-protocol"], "ocpp2.0.1, ocpp1.6");
        response.headers_mut().insert(
            "Sec-WebSocket-Protocol",
            "ocpp1.6".parse().expect("it is a header value"),
        );
        Ok(response)
    };
    let request = RequestUpgrade {
        subprotocols: vec!["ocpp2.0.1".to_owned(), "ocpp1.6".to_owned()],
        ..RequestUpgrade::new("csms.example", "/ocpp/CP1")
    };
    let limits = HeadLimits::default();
    let dial = request.send(near, &limits, keys());
    let (response, server) = tokio::join!(dial, tokio_tungstenite::accept_hdr_async(far, choose));
    let response = response?;
    assert_eq!(
        (response.head.flaws.as_slice(), response.head.subprotocol()),
        (&[][..], Some("ocpp1.6"))
    );
    Ok((response.into_connection(Limits::default()), server?))
}

#[tokio::test(start_paused = true)]
async fn our_server_and_their_client_understand_each_other() -> Outcome {
    let (mut client, mut server) = their_client().await?;
    client.send(Message::text("to you é")).await?;
    let event = message(&mut server).await;
    assert_eq!(
        (event.text(), event.flaws.as_slice()),
        (Some("to you é"), &[][..])
    );
    let large = Message::binary(vec![7; 70_000]);
    let (sent, event) = tokio::join!(client.send(large), message(&mut server));
    sent?;
    assert_eq!((event.len, event.flaws.as_slice()), (70_000, &[][..]));

    for frame in OutFrame::fragmented(Opcode::TEXT, "in pieces é".as_bytes(), &[1, 9, 0]) {
        server.send(&frame).await?;
        server.send(&OutFrame::ping("between")).await?;
    }
    let mut pings = 0;
    loop {
        match client.next().await.ok_or("the stream ended")?? {
            Message::Ping(payload) if payload == "between" => pings += 1,
            Message::Text(text) if text == "in pieces é" => break,
            other => return Err(format!("unexpected: {other:?}").into()),
        }
    }
    assert_eq!(pings, 3, "the last ping comes after the message");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn their_pings_and_closes_are_seen_and_ours_are_answered() -> Outcome {
    let (mut client, mut server) = their_client().await?;
    client.send(Message::Ping("p".into())).await?;
    let event = message(&mut server).await;
    assert_eq!((event.opcode, event.text()), (Opcode::PING, Some("p")));
    server.send(&OutFrame::pong("p")).await?;
    assert_eq!(
        client.next().await.ok_or("the stream ended")??,
        Message::Pong("p".into())
    );

    server.send(&OutFrame::ping("q")).await?;
    assert_eq!(
        client.next().await.ok_or("the stream ended")??,
        Message::Ping("q".into())
    );
    client.flush().await?;
    let event = message(&mut server).await;
    assert_eq!((event.opcode, event.text()), (Opcode::PONG, Some("q")));

    client
        .send(Message::Close(Some(CloseFrame {
            code: CloseCode::Away,
            reason: "bye".into(),
        })))
        .await?;
    let event = message(&mut server).await;
    assert_eq!(
        (event.close_code(), event.close_reason().as_deref()),
        (Some(1001), Some("bye"))
    );
    assert_eq!(event.flaws, []);
    server.send(&OutFrame::close(1001, "")).await?;
    assert!(matches!(
        client.next().await,
        Some(Ok(Message::Close(Some(_)))) | None
    ));
    drop(client);
    assert_eq!(server.next().await, Incoming::Ended(Ending::Eof));
    assert!(server.saw_close());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn our_client_and_their_server_understand_each_other() -> Outcome {
    let (mut client, mut server) = their_server().await?;
    for frame in OutFrame::fragmented(Opcode::TEXT, "[2,\"1\",\"Heartbeat\",{}]".as_bytes(), &[3, 3]) {
        client.send(&frame).await?;
    }
    assert_eq!(
        server.next().await.ok_or("the stream ended")??,
        Message::text("[2,\"1\",\"Heartbeat\",{}]")
    );

    let piece =
        |opcode, text: &'static str, fin| Message::Frame(Frame::message(text, OpCode::Data(opcode), fin));
    server.send(piece(Data::Text, "ab", false)).await?;
    server.send(Message::Ping("x".into())).await?;
    server.send(piece(Data::Continue, "cd", true)).await?;
    let ping = message(&mut client).await;
    let joined = message(&mut client).await;
    assert_eq!((ping.opcode, ping.flaws.as_slice()), (Opcode::PING, &[][..]));
    assert_eq!(
        (joined.text(), joined.fragments, joined.flaws.as_slice()),
        (Some("abcd"), 2, &[][..])
    );

    client.send(&OutFrame::close(1000, "done")).await?;
    let closed = server.next().await.ok_or("the stream ended")??;
    assert!(matches!(closed, Message::Close(Some(frame)) if frame.reason == "done"));
    let echo = tokio::join!(message(&mut client), server.next()).0;
    assert_eq!((echo.close_code(), echo.flaws.as_slice()), (Some(1000), &[][..]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_we_do_wrong_on_purpose_is_refused_by_them() -> Outcome {
    for wrong in [
        OutFrame {
            rsv: 4,
            ..OutFrame::text("x")
        },
        OutFrame::new(Opcode::new(3), "x"),
        OutFrame {
            mask: Mask::Never,
            ..OutFrame::text("x")
        },
        OutFrame::new(Opcode::CONTINUATION, "x"),
        OutFrame {
            fin: false,
            ..OutFrame::ping("")
        },
        OutFrame::ping(vec![0; 126]),
        OutFrame::new(Opcode::TEXT, *b"\xff"),
    ] {
        let (mut client, mut server) = their_server().await?;
        client.send(&wrong).await?;
        let seen = server.next().await;
        assert!(matches!(seen, Some(Err(_))), "{wrong:?} was taken as {seen:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_illegal_close_code_of_theirs_is_seen_as_it_is() -> Outcome {
    let (mut client, mut server) = their_server().await?;
    let frame = CloseFrame {
        code: CloseCode::Status,
        reason: "".into(),
    };
    server.send(Message::Frame(Frame::close(Some(frame)))).await?;
    let event = message(&mut client).await;
    assert_eq!(
        (event.close_code(), event.flaws),
        (Some(1005), vec![WireFlaw::BadCloseCode(1005)])
    );
    Ok(())
}

/// A frame of any kind that says the truth about its length.
fn any_frame() -> impl Strategy<Value = OutFrame> {
    let mask = prop_oneof![
        Just(Mask::AsSide),
        Just(Mask::Never),
        any::<[u8; 4]>().prop_map(Mask::Key)
    ];
    let length =
        prop_oneof![4 => Just(Length::Minimal), 1 => Just(Length::Bits16), 1 => Just(Length::Bits64)];
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        ".{0,60}".prop_map(String::into_bytes)
    ];
    (0_u8..16, any::<bool>(), 0_u8..8, mask, length, payload).prop_map(
        |(opcode, fin, rsv, mask, length, payload)| OutFrame {
            opcode: Opcode::new(opcode),
            fin,
            rsv,
            mask,
            length,
            payload,
        },
    )
}

fn bytes_of(side: Side, frames: &[OutFrame]) -> Vec<u8> {
    let mut encoder = Encoder::new(side, keys());
    let mut bytes = Vec::new();
    for frame in frames {
        encoder.encode(frame, &mut bytes);
    }
    bytes
}

fn events_of(side: Side, limits: Limits, pieces: impl Iterator<Item = impl AsRef<[u8]>>) -> Vec<WireEvent> {
    let mut decoder = Decoder::new(side, limits);
    pieces.for_each(|piece| decoder.feed(piece.as_ref()));
    decoder.finish();
    std::iter::from_fn(|| decoder.next_event()).collect()
}

proptest! {
    #[test]
    fn a_message_survives_any_fragmenting_and_any_chunking(
        text in ".{0,300}",
        cuts in prop::collection::vec(0_usize..60, 0..6),
        chunk in 1_usize..50,
    ) {
        for (ours, theirs) in [(Side::Client, Side::Server), (Side::Server, Side::Client)] {
            let bytes = bytes_of(ours, &OutFrame::fragmented(Opcode::TEXT, text.as_bytes(), &cuts));
            let events = events_of(theirs, Limits::default(), bytes.chunks(chunk));
            prop_assert_eq!(events.len(), 1);
            prop_assert_eq!(events[0].text(), Some(text.as_str()));
            prop_assert_eq!((events[0].fragments as usize, &events[0].flaws), (cuts.len() + 1, &vec![]));
        }
    }

    #[test]
    fn how_bytes_are_chunked_never_matters(
        frames in prop::collection::vec(any_frame(), 0..8),
        chunk in 1_usize..40,
    ) {
        let bytes = bytes_of(Side::Client, &frames);
        let limits = Limits { max_message: 150, head_kept: 20, max_drained: 400, max_fragments: 3 };
        let whole = events_of(Side::Server, limits, std::iter::once(&bytes));
        let mut pieces = events_of(Side::Server, limits, bytes.chunks(chunk));
        // How much of an endless message was read when it was given up depends on the pieces it came in.
        if let (Some(last), Some(same)) = (pieces.last_mut(), whole.last()) && last.len > limits.max_drained {
            prop_assert!(same.len > limits.max_drained);
            (last.len, last.sha256, last.flaws) = (same.len, same.sha256, same.flaws.clone());
        }
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn single_frames_come_back_with_their_bits(frame in any_frame()) {
        let frame = OutFrame { length: Length::Minimal, ..frame };
        let events = events_of(Side::Server, Limits::default(), std::iter::once(bytes_of(Side::Client, std::slice::from_ref(&frame))));
        prop_assert_eq!(events.len(), 1);
        let event = &events[0];
        prop_assert_eq!((event.opcode, event.rsv, &event.payload), (frame.opcode, frame.rsv, &frame.payload));
        prop_assert_eq!(event.masked, frame.mask != Mask::Never);
        let has = |id: &str| event.flaws.iter().any(|flaw| flaw.id() == id);
        prop_assert_eq!(has("unmasked"), frame.mask == Mask::Never);
        prop_assert_eq!(has("rsv-bits"), frame.rsv != 0);
        prop_assert_eq!(has("reserved-opcode"), frame.opcode.is_reserved());
        prop_assert_eq!(has("control-fragmented"), frame.opcode.is_control() && !frame.fin);
        prop_assert_eq!(has("control-too-long"), frame.opcode.is_control() && frame.payload.len() > 125);
        prop_assert_eq!(has("bad-continuation"), frame.opcode == Opcode::CONTINUATION);
    }

    #[test]
    fn no_bytes_at_all_break_the_decoder_or_fill_the_memory(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        chunk in 1_usize..300,
    ) {
        let limits = Limits { max_message: 300, head_kept: 50, max_drained: 900, max_fragments: 4 };
        for side in [Side::Client, Side::Server] {
            for event in events_of(side, limits, bytes.chunks(chunk)) {
                prop_assert!(event.payload.len() <= limits.max_message);
                prop_assert!(event.sha256.is_none() || event.payload.len() <= limits.head_kept);
                prop_assert!(event.flaws.len() <= 12);
            }
        }
    }
}
