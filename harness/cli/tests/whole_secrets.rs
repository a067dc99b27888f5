//! Secrets appear in no file of a run and in nothing that it prints, in whatever form the device says them back.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::live::{Live, csms_profile};
use crate::peer::{converse, honest, listen, upgrade_with};
use crate::support::{Desk, Ran};

const LIMIT: Duration = Duration::from_secs(40);
const PASSWORD: &str = "Pa55/w+rd?Zzk9";
const TOKEN: &str = "TOK3N-q8Zr5LmX";

fn hex(secret: &str) -> String {
    let digits: Vec<String> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// Percent-encoded: every byte, or only those that must be.
fn percent(secret: &str, all: bool) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' if !all => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    secret.bytes().map(one).collect()
}

/// The forms in which the device says a secret.
fn forms(secret: &str) -> Vec<String> {
    vec![
        secret.to_owned(),
        hex(secret),
        hex(secret).to_uppercase(),
        STANDARD.encode(secret),
        URL_SAFE.encode(secret),
        STANDARD.encode(format!("CP-1:{secret}")),
        percent(secret, false),
        percent(secret, true),
    ]
}

/// Everything that betrays a secret: the forms, and its base64 inside any other text.
fn needles(secret: &str) -> Vec<String> {
    let mut all = forms(secret);
    for shift in 0..3 {
        let shifted = [&vec![0; shift][..], secret.as_bytes()].concat();
        let text = STANDARD_NO_PAD.encode(&shifted);
        let inner = &text[(shift * 8).div_ceil(6)..shifted.len() * 8 / 6];
        all.extend([inner.to_owned(), inner.replace('+', "-").replace('/', "_")]);
    }
    all
}

/// Every file below a folder, and what was printed.
fn artefacts(folder: &Path, ran: &Ran) -> Vec<(String, String)> {
    let mut all = vec![
        ("stdout".to_owned(), ran.out.clone()),
        ("stderr".to_owned(), ran.err.clone()),
    ];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                all.push((path.display().to_string(), text));
            }
        }
    }
    all
}

#[track_caller]
fn keeps_quiet(desk: &Desk, ran: &Ran) -> String {
    let all = artefacts(&desk.path().join("o"), ran);
    assert!(all.len() > 2 + 4, "reports and a trace are there");
    let mut told = Vec::new();
    for (name, text) in &all {
        for needle in [PASSWORD, TOKEN].into_iter().flat_map(needles) {
            if let Some(at) = text.find(&needle) {
                let from = text.floor_char_boundary(at.saturating_sub(80));
                told.push(format!("{name}: {needle} in …{}", &text[from..at + needle.len()]));
            }
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
    let traces = all.into_iter().filter(|(name, _)| name.ends_with(".trace"));
    traces.map(|(_, text)| text).collect()
}

/// How often a mark of that secret stands there.
fn marks(text: &str, name: &str) -> usize {
    text.matches(&format!("«secret:{name}")).count()
}

#[test]
fn a_needle_is_found_in_every_form() {
    let inside = STANDARD.encode(format!("CP-1:{TOKEN} and more"));
    assert!(needles(TOKEN).iter().any(|needle| inside.contains(needle)));
    assert_eq!(hex("Az"), "417a");
    assert_eq!(
        (percent("a/", false), percent("a/", true)),
        ("a%2F".to_owned(), "%61%2F".to_owned())
    );
}

#[test]
fn a_csms_that_says_all_secrets_back_spreads_none() {
    let said = || [PASSWORD, TOKEN].into_iter().flat_map(forms).collect::<Vec<_>>();
    let port = listen(move |stream| {
        let headers = [
            ("x-echo", said().join(" ")),
            ("server", forms(PASSWORD)[5].clone()),
        ];
        let Some(mut socket) = upgrade_with(stream, &headers) else {
            return;
        };
        for (n, form) in (0..).zip(said()) {
            let payload = json!({"vendorId": form, "messageId": form, "data": form});
            if socket
                .send(Message::text(
                    json!([2, format!("d{n}"), "DataTransfer", payload]).to_string(),
                ))
                .is_err()
            {
                return;
            }
        }
        converse(&mut socket, |id, action, _| match action {
            "Heartbeat" => {
                let details = json!({TOKEN: said()});
                vec![json!([4, id, "GenericError", said().join(" "), details]).to_string()]
            }
            // The name of a member that does not belong there ends in a pointer.
            "StatusNotification" => vec![json!([3, id, {PASSWORD: said(), hex(TOKEN): TOKEN}]).to_string()],
            _ => vec![honest(id, action)],
        });
    });
    let desk = Desk::new();
    desk.file("answer.json", json!({"keys": said()}).to_string());
    desk.file("complaint.txt", said().join(" "));
    let profile = csms_profile(port)
        .replace("\"VALID-1\"", &format!("\"{TOKEN}\""))
        .replace("/ocpp\"", "/ocpp\"\npassword = \"env:PASSWORD\"");
    let driver = "[driver]\napi = 1\ndefault = \"tool\"\n[driver.backends.tool]\nkind = \"exec\"\n\
                  command = [\"sh\", \"-c\", \"cat answer.json; cat complaint.txt >&2; exit 1\"]\n";
    desk.file(
        "plugfest.toml",
        format!("{profile}[secrets]\ntoken = \"{TOKEN}\"\n{driver}"),
    );
    let mut command = desk.command(&["run", "-vv", "--out", "o", "--jobs", "1", "boot/accepted"]);
    command
        .args(["configuration/one-key", "id:stop/*", "id:authorize/*"])
        .env("PASSWORD", PASSWORD);
    let ran = Live::of(command, LIMIT).ends();
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.out, ran.err);
    let traces = keeps_quiet(&desk, &ran);
    // They were there to be replaced: the frames, the header of ours and of theirs, the driver's complaint.
    for name in ["token", "password-of-CP-1"] {
        assert!(marks(&traces, name) >= 20, "{name} was hardly said:\n{traces}");
    }
}

#[test]
fn a_station_that_prints_its_secrets_spreads_none() {
    let desk = Desk::new();
    desk.file(
        "said.txt",
        [PASSWORD, TOKEN]
            .into_iter()
            .flat_map(forms)
            .collect::<Vec<_>>()
            .join("\n")
            + "\n",
    );
    let profile = format!(
        "[dut]\nrole = \"station\"\nprotocol = \"OCPP-1.6\"\nidentity = \"CP-1\"\nlisten = \"127.0.0.1:0\"\n\
         password = \"{PASSWORD}\"\ncommand = [\"sh\", \"-c\", \"cat said.txt; cat said.txt >&2; exit 3\"]\n\
         [timeouts]\nmessage = 1\naction = 1\nreboot = 1\nlong = 1\n[secrets]\ntoken = \"{TOKEN}\"\n"
    );
    desk.file("plugfest.toml", profile);
    let ran = Live::start(
        &desk,
        &["run", "-vv", "--out", "o", "configuration/all-keys"],
        LIMIT,
    )
    .ends();
    let code = ran.code.unwrap();
    assert!(code == 1 || code == 3, "exit {code}\n{}\n{}", ran.out, ran.err);
    let traces = keeps_quiet(&desk, &ran);
    assert!(marks(&traces, "token") >= forms(TOKEN).len(), "{traces}");
}

/// What each back-end of the driver says, done or not, with all secrets in it.
fn drivers(desk: &Desk) -> [(&'static str, String); 4] {
    let said = || [PASSWORD, TOKEN].into_iter().flat_map(forms).collect::<Vec<_>>();
    let value = json!({"keys": said(), PASSWORD: TOKEN, "inner": {hex(TOKEN): [PASSWORD]}});
    desk.file("value.json", value.to_string());
    let line = |answer: serde_json::Value| answer.to_string();
    let answer = json!({"id": 1, "outcome": "done", "value": value});
    desk.file("answer.jsonl", line(answer) + "\n");
    let complaint = json!({"id": 1, "outcome": "failed", "message": said().join(" ")});
    desk.file("complaint.jsonl", line(complaint) + "\n");
    let office = listen(move |mut stream| {
        // The request is small, and comes whole.
        let mut request = [0; 8192];
        let read = stream.read(&mut request).unwrap_or(0);
        assert!(read < request.len());
        let body = value.to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let _gone = stream.write_all((head + &body).as_bytes());
    });
    let sh =
        |kind: &str, script: &str| format!("kind = \"{kind}\"\ncommand = [\"sh\", \"-c\", \"{script}\"]\n");
    [
        ("exec", sh("exec", "cat value.json")),
        (
            "http",
            format!("kind = \"http\"\nurl = \"http://127.0.0.1:{office}/{{verb}}?key={TOKEN}\"\n"),
        ),
        ("stdio", sh("stdio", "read line; cat answer.jsonl; exec cat")),
        (
            "failing stdio",
            sh("stdio", "read line; cat complaint.jsonl; exec cat"),
        ),
    ]
}

#[test]
fn what_a_driver_answers_spreads_no_secret() {
    let desk = Desk::new();
    for (name, backend) in drivers(&desk) {
        let port = listen(|stream| {
            if let Some(mut socket) = upgrade_with(stream, &[]) {
                converse(&mut socket, |id, action, _| vec![honest(id, action)]);
            }
        });
        let profile = csms_profile(port).replace("/ocpp\"", &format!("/ocpp\"\npassword = \"{PASSWORD}\""));
        let driver = format!("[driver]\napi = 1\ndefault = \"tool\"\n[driver.backends.tool]\n{backend}");
        desk.file(
            "plugfest.toml",
            format!("{profile}[secrets]\ntoken = \"{TOKEN}\"\n{driver}"),
        );
        let arguments = ["run", "-vv", "--out", "o", "configuration/one-key"];
        let ran = Live::start(&desk, &arguments, LIMIT).ends();
        let traces = keeps_quiet(&desk, &ran);
        let wanted = if name == "failing stdio" {
            "failed"
        } else {
            "returned"
        };
        let answers: Vec<&str> = traces
            .lines()
            .filter(|line| line.contains("\"performed\":{\"call\":2"))
            .collect();
        let [answer] = answers.as_slice() else {
            panic!("{name}: {answers:?}\n{}", ran.err)
        };
        assert!(answer.contains(wanted), "{name}: {answer}");
        for secret in ["token", "password-of-CP-1"] {
            let told = marks(answer, secret);
            // A complaint is cut short, inside of a secret.
            let least = if name == "failing stdio" { 0 } else { 8 };
            assert!(told >= least, "{name} has said {secret} {told} times: {answer}");
        }
    }
}

#[test]
fn a_secret_in_the_url_is_hidden_wherever_the_url_is_told() {
    let port = listen(|stream| {
        if let Some(mut socket) = upgrade_with(stream, &[]) {
            converse(&mut socket, |id, action, _| vec![honest(id, action)]);
        }
    });
    let desk = Desk::new();
    let profile = csms_profile(port).replace("/ocpp\"", &format!("/{TOKEN}/ocpp\""));
    desk.file(
        "plugfest.toml",
        format!("{profile}[secrets]\ntoken = \"{TOKEN}\"\n"),
    );
    let ran = Live::start(&desk, &["run", "--out", "o", "boot/accepted"], LIMIT)
        .ends()
        .exits(0);
    let traces = keeps_quiet(&desk, &ran);
    assert!(
        marks(&traces, "token") >= 1,
        "it is in the request line: {traces}"
    );
}

#[test]
fn a_secret_in_the_query_is_hidden_and_reaches_the_csms() {
    let (seen, requests) = channel();
    let port = listen(move |stream| {
        let mut head = [0; 4096];
        let read = stream.peek(&mut head).unwrap_or(0);
        let _over = seen.send(String::from_utf8_lossy(&head[..read]).into_owned());
        if let Some(mut socket) = upgrade_with(stream, &[]) {
            converse(&mut socket, |id, action, _| match action {
                "Heartbeat" => vec![json!([4, id, "GenericError", "", {}]).to_string()],
                _ => vec![honest(id, action)],
            });
        }
    });
    let query: Vec<String> = [hex(TOKEN), STANDARD.encode(TOKEN), percent(PASSWORD, false)]
        .into_iter()
        .chain([TOKEN.to_owned(), percent(TOKEN, true), percent(PASSWORD, true)])
        .enumerate()
        .map(|(n, form)| format!("k{n}={form}"))
        .collect();
    let query = query.join("&");
    let desk = Desk::new();
    let secrets = format!("[secrets]\ntoken = \"{TOKEN}\"\n");
    let plain = csms_profile(port).replace("/ocpp\"", &format!("/ocpp\"\npassword = \"{PASSWORD}\""));
    let url = format!("ws://127.0.0.1:{port}/ocpp?{query}");
    let in_the_profile = plain.replace(&format!("ws://127.0.0.1:{port}/ocpp"), &url);
    // One of them fails, so that the command that plays it again is told.
    let base = ["run", "-vv", "--out", "o", "boot/accepted", "id:session/*"];
    for (profile, more) in [(in_the_profile, vec![]), (plain, vec!["--url", &url])] {
        desk.file("plugfest.toml", format!("{profile}{secrets}"));
        let ran = Live::start(&desk, &[&base[..], &more].concat(), LIMIT).ends();
        let traces = keeps_quiet(&desk, &ran);
        for name in ["token", "password-of-CP-1"] {
            assert!(marks(&traces, name) >= 2, "{name} is in the request: {traces}");
        }
        let wanted = format!("GET /ocpp/CP-1?{query} HTTP/1.1");
        let asked: Vec<String> = requests.try_iter().filter(|head| !head.is_empty()).collect();
        assert!(
            !asked.is_empty() && asked.iter().all(|head| head.starts_with(&wanted)),
            "{asked:?}"
        );
    }
}
