//! Frame grammar: what a text frame of OCPP-J must look like, and the WebSocket layer below it.

use plugfest_protocol::{Frame, FrameFlawKind, Json};
use plugfest_trace::{Party, What};

use super::support::{Check, EVERY, Entry, OCPP16, short};
use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};

/// One rule per kind of flaw; the id's last part is the flaw's own name.
pub(super) static RULES: &[Entry] = &[
    frame(
        "frame/not-json",
        "a message is JSON",
        "OCPP-1.6J 4.1.2",
        Level::Must,
        "Every text message of the DUT has to be one complete JSON text. Truncated frames, stray commas and empty \
         values are the usual ways to break this, and most peers drop such a message or the connection. An empty \
         text message counts too.",
    ),
    frame(
        "frame/bom",
        "a message does not begin with a byte order mark",
        "RFC 8259 8.1",
        Level::Must,
        "JSON sent over a network must not begin with a byte order mark; parsers are free to refuse it.",
    ),
    frame(
        "frame/trailing-data",
        "nothing follows the JSON",
        "OCPP-1.6J 4.1.2",
        Level::Must,
        "One message is one JSON array. Text behind it (a second array, a NUL, rubbish from a buffer) makes the whole \
         invalid. White space is let pass.",
    ),
    frame(
        "frame/too-deep",
        "a message is not nested absurdly",
        "RFC 8259 9",
        Level::Advisory,
        "No standard bounds the depth or the number of values of a message. This is a limit of ours, far beyond any \
         message of the protocol; what exceeds it is reported and not judged further.",
    ),
    frame(
        "frame/too-large",
        "a message is not absurdly long",
        "RFC 8259 9",
        Level::Advisory,
        "No standard bounds the length of a message. This is a limit of ours, far beyond any message of the \
         protocol; what exceeds it is reported and not judged further.",
    ),
    frame(
        "frame/duplicate-key",
        "a key stands once in an object",
        "RFC 8259 4",
        Level::Should,
        "Names in a JSON object should be unique: one reader takes the first value, another the last, a third \
         refuses. It is a SHOULD, therefore a warning.",
    ),
    frame(
        "frame/lone-surrogate",
        "strings are proper Unicode",
        "RFC 8259 8.2",
        Level::Should,
        "Half of a surrogate pair in an escape stands for no character; what a receiver makes of it cannot be \
         foretold.",
    ),
    frame(
        "frame/not-array",
        "a message is a JSON array",
        "OCPP-1.6J 4.2",
        Level::Must,
        "Each of the three message types is an array whose first element is the message type number. Another JSON \
         value can be attributed to no exchange.",
    ),
    frame(
        "frame/empty",
        "a message has elements",
        "OCPP-1.6J 4.2",
        Level::Must,
        "An empty array has no message type, no id and nothing to say.",
    ),
    frame(
        "frame/bad-type-number",
        "the message type is an integer",
        "OCPP-1.6J 4.1.3",
        Level::Must,
        "The first element is one of the numbers 2, 3 and 4. Written as a string, as `2.0` or missing, it is not. The \
         message is judged on as far as its meaning is plain.",
    ),
    frame(
        "frame/unknown-type",
        "the message type is one that the edition has",
        "OCPP-1.6J 4.1.3",
        Level::Must,
        "Only CALL, CALLRESULT and CALLERROR exist, numbered 2, 3 and 4. A receiver ignores everything else, so what \
         the DUT wanted to say is lost.",
    ),
    frame(
        "frame/bad-arity",
        "a message has as many elements as its type asks for",
        "OCPP-1.6J 4.2",
        Level::Must,
        "A CALL always has four elements, a CALLRESULT three, a CALLERROR five. An action name inside a CALLRESULT or \
         missing error details are common ways to break this, and so is a CALLRESULT that begins with 2. The finding \
         cites the section of the message type, where it can be told.",
    ),
    frame(
        "frame/id-not-string",
        "the message id is a string",
        "OCPP-1.6J 4.1.4",
        Level::Must,
        "Message ids are strings. A number is not the same id as the string of its digits, and strict peers will not \
         find the exchange.",
    ),
    frame(
        "frame/id-too-long",
        "the message id has at most 36 characters",
        "OCPP-1.6J 4.1.4",
        Level::Must,
        "36 characters are enough for a UUID in its usual spelling. A peer may answer a longer id with a CALLERROR.",
    ),
    frame(
        "frame/id-empty",
        "the message id is not empty",
        "OCPP-1.6J 4.1.4",
        Level::Advisory,
        "The text demands that an id be unique, not that it have characters; one empty id could even be unique. \
         Peers do not expect it.",
    ),
    frame(
        "frame/action-not-string",
        "the action is a string",
        "OCPP-1.6J 4.2.1",
        Level::Must,
        "The third element of a CALL is the name of the action.",
    ),
    frame(
        "frame/payload-null",
        "an empty payload is an empty object",
        "OCPP-1.6J 4.2.1",
        Level::Advisory,
        "Where there is nothing to say the text lets `null` pass as a payload, but calls `{}` good practice. A \
         warning only.",
    ),
    frame(
        "frame/payload-not-object",
        "the payload is an object",
        "OCPP-1.6J 4.2.1",
        Level::Must,
        "Payloads of requests and responses are JSON objects. An array, a string or a number fits no message.",
    ),
    frame(
        "frame/code-not-string",
        "the error code is a string",
        "OCPP-1.6J 4.2.3",
        Level::Must,
        "The third element of a CALLERROR is one of the error codes of the standard, as a string.",
    ),
    frame(
        "frame/code-unknown",
        "the error code is one of the standard's",
        "OCPP-1.6J 4.2.3",
        Level::Must,
        "A CALLERROR carries one of the ten codes of table 7. Codes of other editions or of one's own tell the peer \
         nothing.",
    ),
    frame(
        "frame/code-legacy-spelling",
        "the error code is spelt as the standard spells it",
        "OCPP-1.6J 4.2.3",
        Level::Must,
        "In 1.6 two codes have odd spellings: FormationViolation, and OccurenceConstraintViolation with one r. The \
         errata (OCPP-1.6J-errata 5.1, 5.2) list both as known and not to be mended, because a peer compares the \
         strings; some stations resend a message for ever when they get the corrected word. What the harness \
         receives in the corrected spelling it understands all the same.",
    ),
    frame(
        "frame/description-not-string",
        "the error description is a string",
        "OCPP-1.6J 4.2.3",
        Level::Must,
        "The fourth element of a CALLERROR is a text for people; where there is none it is the empty string.",
    ),
    frame(
        "frame/details-not-object",
        "the error details are an object",
        "OCPP-1.6J 4.2.3",
        Level::Must,
        "The fifth element of a CALLERROR is an object, empty where there is nothing to add. Strings and `null` break \
         peers that parse it into a structure.",
    ),
    wire(
        "wire/non-minimal-length",
        "RFC 6455 5.2",
        Level::Must,
        "A payload length is written in the shortest of its three forms.",
    ),
    wire(
        "wire/length-high-bit",
        "RFC 6455 5.2",
        Level::Must,
        "The most significant bit of a 64-bit length is zero.",
    ),
    wire(
        "wire/reserved-opcode",
        "RFC 6455 5.2",
        Level::Must,
        "Opcodes 3 to 7 and 11 to 15 are reserved and must not be sent.",
    ),
    wire(
        "wire/rsv-bits",
        "RFC 6455 5.2",
        Level::Must,
        "The three reserved bits are zero unless an extension that defines them was negotiated.",
    ),
    wire(
        "wire/unmasked",
        "RFC 6455 5.1",
        Level::Must,
        "A client masks every frame that it sends; a server closes the connection on one that is not.",
    ),
    wire(
        "wire/masked",
        "RFC 6455 5.1",
        Level::Must,
        "A server masks none of its frames; a client closes on a masked one.",
    ),
    wire(
        "wire/control-too-long",
        "RFC 6455 5.5",
        Level::Must,
        "Close, ping and pong frames carry at most 125 bytes.",
    ),
    wire(
        "wire/control-fragmented",
        "RFC 6455 5.5",
        Level::Must,
        "Close, ping and pong frames are not fragmented.",
    ),
    wire(
        "wire/bad-continuation",
        "RFC 6455 5.4",
        Level::Must,
        "A continuation frame continues a message that has begun.",
    ),
    wire(
        "wire/unfinished-message",
        "RFC 6455 5.4",
        Level::Must,
        "Fragments of two messages are not interleaved: one message ends before the next begins.",
    ),
    wire(
        "wire/invalid-utf8",
        "OCPP-1.6J 4.1.2, RFC 6455 8.1",
        Level::Must,
        "A text message is UTF-8 throughout. Serial numbers read from memory and names in a national code page are \
         how other bytes get in.",
    ),
    wire(
        "wire/bad-close-code",
        "RFC 6455 7.4",
        Level::Must,
        "Some status codes (1004 to 1006, 1015, anything below 1000) must not stand in a close frame.",
    ),
    wire(
        "wire/bad-close-length",
        "RFC 6455 5.5.1",
        Level::Must,
        "The body of a close frame is empty or begins with a status code of two bytes.",
    ),
    wire(
        "wire/after-close",
        "RFC 6455 5.5.1",
        Level::Must,
        "After its close frame an endpoint sends no more data frames.",
    ),
    wire(
        "wire/too-large",
        "RFC 6455 10.4",
        Level::Must,
        "The message went on beyond 1 MiB, and the connection had to be cut: a receiver has to protect itself. No standard \
         names the bound, but no message of the protocol comes near, and what the DUT wanted to say is lost.",
    ),
    wire(
        "wire/too-many-fragments",
        "RFC 6455 10.4",
        Level::Must,
        "The message came in more than 65,536 fragments, and the connection had to be cut: a receiver has to protect \
         itself. No standard names the bound, but no message of the protocol needs more than a few.",
    ),
    wire(
        "wire/truncated-at-eof",
        "RFC 6455 7.1.7",
        Level::Should,
        "The stream ended inside a frame. A power cut does that too, therefore a warning.",
    ),
    Entry::both::<Binary>(RuleInfo {
        id: "wire/binary-message",
        title: "messages are text messages",
        clause: "OCPP-1.6J 4.1.2",
        level: Level::Should,
        editions: EVERY,
        explain: "A message of OCPP-J is JSON text in UTF-8, for which WebSocket has the text opcode. The clause does \
                  not name the opcode, so that a binary message is a warning; the harness does not look into it, as \
                  most peers would not.",
    }),
];

const fn frame(
    id: &'static str,
    title: &'static str,
    clause: &'static str,
    level: Level,
    explain: &'static str,
) -> Entry {
    Entry::both::<Grammar>(RuleInfo {
        id,
        title,
        clause,
        level,
        editions: OCPP16,
        explain,
    })
}

const fn wire(id: &'static str, clause: &'static str, level: Level, explain: &'static str) -> Entry {
    Entry::both::<Wire>(RuleInfo {
        id,
        title: explain,
        clause,
        level,
        editions: EVERY,
        explain,
    })
}

/// Speaks of the one kind of frame flaw that the rule is named after.
#[derive(Debug, Default)]
struct Grammar;

impl Check for Grammar {
    const WANTS: u8 = Wants::FRAME;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Seen::Frame {
            conn,
            from: Party::Dut,
            text,
            frame,
            flaws,
            ..
        } = seen
        else {
            return;
        };
        let title = out.info().title;
        let name = out.info().id;
        for flaw in flaws {
            if is_of_id(flaw.kind) && frame.is_some_and(|frame| echoes(context, conn, frame)) {
                continue;
            }
            // A code that is no string is no known code either: one finding is enough.
            let told = flaw.kind == FrameFlawKind::CodeUnknown
                && flaws
                    .iter()
                    .any(|other| other.kind == FrameFlawKind::CodeNotString);
            if is(flaw.kind, name) && !told {
                let finding = out.add(
                    format!("the frame is ill-formed: {}", flaw.detail),
                    title,
                    short(text),
                );
                if flaw.kind == FrameFlawKind::BadArity {
                    if let Some(action) = answers(context, conn, text) {
                        finding.message = format!("the answer to {action} has the message type of a CALL");
                        finding.clause("OCPP-1.6J 4.1.3, 4.2.2");
                    } else if let Some(section) = section_of(text) {
                        finding.clause(section);
                    }
                }
            }
        }
    }
}

/// The CALL of ours that a frame answers although it begins as a CALL does: with 2, its id, and an object.
fn answers<'a>(context: &Context<'a>, conn: u32, text: &str) -> Option<&'a str> {
    let json = Json::parse(text).ok()?;
    let [kind, id, Json::Object(_)] = json.as_array()? else {
        return None;
    };
    let id = id.as_str().filter(|_| kind.as_i64() == Some(2))?;
    let mut open = context.ledger.open_from(conn, Party::Us);
    open.find(|call| call.id == id).map(|call| call.action.as_str())
}

/// The section that says how many elements a message of this type has.
fn section_of(text: &str) -> Option<&'static str> {
    let begin = text.trim_start().strip_prefix('[')?.trim_start();
    match begin.chars().next()? {
        '2' => Some("OCPP-1.6J 4.2, 4.2.1"),
        '3' => Some("OCPP-1.6J 4.2, 4.2.2"),
        '4' => Some("OCPP-1.6J 4.2, 4.2.3"),
        _ => None,
    }
}

fn is_of_id(kind: FrameFlawKind) -> bool {
    use FrameFlawKind::{IdEmpty, IdNotString, IdTooLong, LoneSurrogate};
    matches!(kind, IdEmpty | IdNotString | IdTooLong | LoneSurrogate)
}

/// True for an answer to a CALL of ours: that its id is wrong is our doing (OCPP-1.6J 4.1.4 wants the same one back).
fn echoes(context: &Context<'_>, conn: u32, frame: &Frame) -> bool {
    let mut ours = context.ledger.open_from(conn, Party::Us);
    !matches!(frame, Frame::Call { .. }) && ours.any(|call| call.id == frame.id())
}

fn is(kind: FrameFlawKind, rule: &str) -> bool {
    kind.id().strip_prefix("frame-") == rule.strip_prefix("frame/")
}

/// Speaks of the one kind of WebSocket flaw that the rule is named after.
#[derive(Debug, Default)]
struct Wire;

impl Check for Wire {
    const WANTS: u8 = Wants::EVENT;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Seen::Event(event) = seen else { return };
        let (flaws, kind) = match &event.what {
            What::Frame {
                from: Party::Dut,
                flaws,
                ..
            } => (flaws, "frame"),
            What::Closing {
                from: Party::Dut,
                flaws,
                ..
            } => (flaws, "close frame"),
            _ => return,
        };
        let title = out.info().title;
        let name = out.info().id.strip_prefix("wire/").unwrap_or_default();
        if flaws.iter().any(|flaw| flaw == name) {
            out.add(
                format!("a {kind} of the DUT breaks the WebSocket protocol: {name}"),
                title,
                name,
            );
        }
    }
}

/// Binary messages.
#[derive(Debug, Default)]
struct Binary;

impl Check for Binary {
    const WANTS: u8 = Wants::EVENT;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Seen::Event(event) = seen else { return };
        if let What::Frame {
            from: Party::Dut,
            opcode: 2,
            ..
        } = &event.what
        {
            out.add(
                "the DUT sent a binary message",
                "a text message (opcode 1)",
                "opcode 2",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flaw_of_a_frame_has_a_rule() {
        // Whether bytes are UTF-8 is seen on the wire: `wire/invalid-utf8`.
        for kind in FrameFlawKind::ALL
            .into_iter()
            .filter(|kind| *kind != FrameFlawKind::NotUtf8)
        {
            assert_eq!(
                RULES.iter().filter(|entry| is(kind, entry.info.id)).count(),
                1,
                "{}",
                kind.id()
            );
        }
    }
}
