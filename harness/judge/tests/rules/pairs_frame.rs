//! Pairs of the frame grammar and of the WebSocket layer.

use crate::dsl::Pair;

const WIRE: &[(&str, &str)] = &[
    (
        "wire/non-minimal-length",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!non-minimal-length Heartbeat {}",
    ),
    (
        "wire/length-high-bit",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!length-high-bit Heartbeat {}",
    ),
    (
        "wire/reserved-opcode",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!reserved-opcode Heartbeat {}",
    ),
    (
        "wire/rsv-bits",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!rsv-bits Heartbeat {}",
    ),
    (
        "wire/unmasked",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!unmasked Heartbeat {}",
    ),
    (
        "wire/control-too-long",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!control-too-long Heartbeat {}",
    ),
    (
        "wire/control-fragmented",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!control-fragmented Heartbeat {}",
    ),
    (
        "wire/bad-continuation",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!bad-continuation Heartbeat {}",
    ),
    (
        "wire/unfinished-message",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!unfinished-message Heartbeat {}",
    ),
    (
        "wire/invalid-utf8",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!invalid-utf8 Heartbeat {}",
    ),
    (
        "wire/bad-close-code",
        "up\n- closing dut 1000\n+ closing dut 1005 bad-close-code",
    ),
    (
        "wire/bad-close-length",
        "up\n- closing dut 1000\n+ closing dut - bad-close-length",
    ),
    (
        "wire/after-close",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!after-close Heartbeat {}",
    ),
    (
        "wire/too-large",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!too-large Heartbeat {}",
    ),
    (
        "wire/too-many-fragments",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!too-many-fragments Heartbeat {}",
    ),
    (
        "wire/truncated-at-eof",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut!truncated-at-eof Heartbeat {}",
    ),
    (
        "wire/binary-message",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut binary AA==",
    ),
];

const FRAMES: &[(&str, &str)] = &[
    (
        "frame/not-json",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw [2,\"a\",\"Heartbeat\",{}",
    ),
    (
        "frame/bom",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw \u{feff}[2,\"a\",\"Heartbeat\",{}]",
    ),
    (
        "frame/trailing-data",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw [2,\"a\",\"Heartbeat\",{}]]",
    ),
    (
        "frame/duplicate-key",
        "up\nfact boot \"Accepted\"\n- dut Authorize {\"idTag\":\"A\"}\n+ dut Authorize {\"idTag\":\"A\",\"idTag\":\"A\"}",
    ),
    (
        "frame/lone-surrogate",
        "up\nfact boot \"Accepted\"\n- dut Authorize {\"idTag\":\"A\"}\n+ dut Authorize {\"idTag\":\"\\ud800\"}",
    ),
    (
        "frame/not-array",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw {\"action\":\"Heartbeat\"}",
    ),
    (
        "frame/empty",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw []",
    ),
    (
        "frame/bad-type-number",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw [\"2\",\"a\",\"Heartbeat\",{}]",
    ),
    (
        "frame/unknown-type",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw [6,\"a\",\"Heartbeat\",{}]",
    ),
    (
        "frame/bad-arity",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw [2,\"a\",\"Heartbeat\",{},{}]",
    ),
    (
        "frame/id-not-string",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw [2,17,\"Heartbeat\",{}]",
    ),
    (
        "frame/id-too-long",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut#1234567890123456789012345678901234567 Heartbeat {}",
    ),
    (
        "frame/id-empty",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw [2,\"\",\"Heartbeat\",{}]",
    ),
    (
        "frame/action-not-string",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw [2,\"a\",6,{}]",
    ),
    (
        "frame/payload-null",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw [2,\"a\",\"Heartbeat\",null]",
    ),
    (
        "frame/payload-not-object",
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {}\n+ dut raw [2,\"a\",\"Heartbeat\",[]]",
    ),
    (
        "frame/code-not-string",
        "up\nfact boot \"Accepted\"\nus#u Nonsense {}\n- dut =! NotImplemented\n+ dut raw [4,\"u\",5,\"\",{}]",
    ),
    (
        "frame/code-unknown",
        "up\nfact boot \"Accepted\"\nus#u Nonsense {}\n- dut =! NotImplemented\n+ dut =! RpcFrameworkError",
    ),
    (
        "frame/code-legacy-spelling",
        "up\nfact boot \"Accepted\"\nus#u Reset {}\n- dut =! OccurenceConstraintViolation\n+ dut =! OccurrenceConstraintViolation",
    ),
    (
        "frame/description-not-string",
        "up\nfact boot \"Accepted\"\nus#u Nonsense {}\n- dut =! NotImplemented\n+ dut raw [4,\"u\",\"NotImplemented\",null,{}]",
    ),
    (
        "frame/details-not-object",
        "up\nfact boot \"Accepted\"\nus#u Nonsense {}\n- dut =! NotImplemented\n+ dut raw [4,\"u\",\"NotImplemented\",\"\",\"\"]",
    ),
];

/// A message far beyond every limit, made when it is needed.
fn deep() -> &'static str {
    let nested = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let trace = format!(
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {{}}\n+ dut raw [2,\"a\",\"Heartbeat\",{nested}]"
    );
    Box::leak(trace.into_boxed_str())
}

fn large() -> &'static str {
    let blanks = " ".repeat((16 << 20) + 1);
    let trace = format!(
        "up\nfact boot \"Accepted\"\n- dut Heartbeat {{}}\n+ dut raw [2,\"a\",{blanks}\"Heartbeat\",{{}}]"
    );
    Box::leak(trace.into_boxed_str())
}

pub(crate) fn pairs() -> Vec<Pair> {
    let mut pairs: Vec<Pair> = WIRE
        .iter()
        .chain(FRAMES)
        .map(|&(rule, trace)| Pair {
            rule,
            dut: "station",
            trace,
        })
        .collect();
    pairs.push(Pair {
        rule: "frame/too-deep",
        dut: "station",
        trace: deep(),
    });
    pairs.push(Pair {
        rule: "frame/too-large",
        dut: "station",
        trace: large(),
    });
    let masked = "up\nfact boot \"Accepted\"\n- dut!x GetConfiguration {}\n+ dut!masked GetConfiguration {}";
    pairs.push(Pair {
        rule: "wire/masked",
        dut: "csms",
        trace: masked,
    });
    pairs
}
