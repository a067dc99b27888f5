//! A control channel of JSON lines: `{"id", "verb", "args"}` in, `{"id", "outcome", "value" or "message"}` out.

use std::io;

use plugfest_protocol::{Json, Object};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use crate::outcome::Outcome;

/// The longest line, in bytes.
const LONGEST_LINE: u64 = 64 * 1024;

/// Reads one request per line and answers each with one line, in order, until the input ends.
///
/// `perform` gets the verb and its arguments (an empty object where there are none). A line that is no request
/// is answered with `failed`; one that is too long ends the channel, for what follows cannot be told apart.
pub async fn serve_lines(
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    perform: impl AsyncFn(&str, &Json) -> Outcome,
) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut input)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .await?;
        if read == 0 {
            return Ok(());
        }
        let too_long = read as u64 == LONGEST_LINE && line.last() != Some(&b'\n');
        let request = String::from_utf8_lossy(&line);
        if request.trim().is_empty() {
            continue;
        }
        let (id, outcome) = if too_long {
            (
                None,
                Outcome::failed(format!("a request may have at most {LONGEST_LINE} bytes")),
            )
        } else {
            answer(&request, &perform).await
        };
        let mut reply = Object::new();
        if let Some(id) = id {
            reply.insert("id", id);
        }
        if let Json::Object(members) = outcome.to_json() {
            for (key, value) in members {
                reply.insert(key, value);
            }
        }
        output.write_all(format!("{reply}\n").as_bytes()).await?;
        output.flush().await?;
        if too_long {
            return Ok(());
        }
    }
}

async fn answer(request: &str, perform: &impl AsyncFn(&str, &Json) -> Outcome) -> (Option<Json>, Outcome) {
    let request = match Json::parse(request.trim()) {
        Ok(request) => request,
        Err(why) => return (None, Outcome::failed(format!("the request is no JSON: {why}"))),
    };
    let id = request.get("id").cloned();
    let Some(verb) = request.get("verb").and_then(Json::as_str) else {
        return (id, Outcome::failed("the request has no 'verb'"));
    };
    let nothing = Json::empty();
    let args = request.get("args").unwrap_or(&nothing);
    (id, perform(verb, args).await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plugfest_protocol::object;

    async fn talk(input: &str) -> String {
        let mut output = Vec::new();
        let perform = async |verb: &str, args: &Json| match verb {
            "read" => Outcome::Returned(object! { "got": args }),
            "do" => Outcome::Done,
            "fail" => Outcome::failed("because"),
            _ => Outcome::Unsupported,
        };
        serve_lines(input.as_bytes(), &mut output, perform).await.unwrap();
        String::from_utf8(output).unwrap()
    }

    #[tokio::test]
    async fn every_line_gets_its_answer() {
        let input = "{\"id\":1,\"verb\":\"read\",\"args\":{\"a\":1.50}}\n\n{\"id\":\"x\",\"verb\":\"do\"}\n{\"verb\":\"fail\"}\n{\"id\":2,\"verb\":\"?\"}\nnonsense\n{\"id\":3}";
        assert_eq!(
            talk(input).await,
            "{\"id\":1,\"outcome\":\"done\",\"value\":{\"got\":{\"a\":1.50}}}\n\
             {\"id\":\"x\",\"outcome\":\"done\"}\n\
             {\"outcome\":\"failed\",\"message\":\"because\"}\n\
             {\"id\":2,\"outcome\":\"unsupported\"}\n\
             {\"outcome\":\"failed\",\"message\":\"the request is no JSON: at byte 0: a value was expected\"}\n\
             {\"id\":3,\"outcome\":\"failed\",\"message\":\"the request has no 'verb'\"}\n"
        );
    }

    #[tokio::test]
    async fn an_endless_line_ends_the_channel() {
        let output = talk(&"x".repeat(100_000)).await;
        assert_eq!(
            output,
            "{\"outcome\":\"failed\",\"message\":\"a request may have at most 65536 bytes\"}\n"
        );
    }
}
