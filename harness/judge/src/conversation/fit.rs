//! Whether a message is what a line says.

use plugfest_case::ir::{AnswerForm, Call, ObjectPattern, Pattern};
use plugfest_protocol::{Json, ObjectType, Part};

use super::claim::Got;
use super::context::Cx;
use super::pattern::{Bound, Mismatch};
use super::scope::FrameId;
use super::tree::{Expect, Prompt};

/// The object type of a message, if the catalogue knows the action.
pub(super) fn object_type(cx: &Cx, action: &str, part: Part) -> Option<&'static ObjectType> {
    let action = cx.story.edition.action(action)?;
    Some(match part {
        Part::Request => &action.request,
        Part::Response => &action.response,
    })
}

/// Which messages a line is about: its parentheses, or the key fields among its braces (rule 4).
pub(super) fn picks(expect: &Expect, frame: FrameId, action: &str, payload: &Json, cx: &Cx) -> bool {
    if expect.call.action.text != action || expect.prompt == Prompt::Due {
        return false;
    }
    let ty = object_type(cx, action, Part::Request);
    let pattern = picked(&expect.call, cx);
    cx.values
        .match_object(&pattern, payload, ty, frame, "", &mut Bound::new())
        .is_ok()
}

/// The picks of a line as a pattern of their own.
pub(super) fn picked(call: &Call, cx: &Cx) -> ObjectPattern {
    if let Some(picks) = &call.picks {
        return picks.clone();
    }
    let keys = cx
        .story
        .edition
        .action(&call.action.text)
        .map(|a| a.keys.clone())
        .unwrap_or_default();
    let fields = call
        .payload
        .fields
        .iter()
        .filter(|f| keys.contains(&f.name.text))
        .map(|f| {
            let mut field = f.clone();
            // A name that the key binds is bound when the line is verified.
            while let Pattern::Bind(inner, _) = field.pattern {
                field.pattern = *inner;
            }
            field
        })
        .collect();
    ObjectPattern {
        fields,
        ..ObjectPattern::default()
    }
}

pub(super) fn verify(
    call: &Call,
    frame: FrameId,
    action: &str,
    payload: &Json,
    cx: &Cx,
) -> Result<Bound, Mismatch> {
    let ty = object_type(cx, action, Part::Request);
    let mut bound = Bound::new();
    if let Some(picks) = &call.picks {
        cx.values
            .match_object(picks, payload, ty, frame, "", &mut bound)?;
    }
    cx.values
        .match_object(&call.payload, payload, ty, frame, "", &mut bound)?;
    Ok(bound)
}

pub(super) fn free_key(expect: &Expect, frame: FrameId, cx: &Cx) -> (String, Vec<Json>) {
    let picks = picked(&expect.call, cx);
    let values = picks
        .fields
        .iter()
        .map(|f| match &f.pattern {
            Pattern::Value(e) => cx.values.evaluate(e, frame).unwrap_or(Json::Null),
            other => Json::from(cx.values.describe(other, frame)),
        })
        .collect();
    (expect.call.action.text.clone(), values)
}

/// Matches an answer against the forms of its line.
pub(super) fn match_answer(
    forms: &[AnswerForm],
    got: Got<'_>,
    action: &str,
    frame: FrameId,
    cx: &Cx,
) -> Result<Bound, Mismatch> {
    let mut first = None;
    for form in forms {
        match match_form(form, got, action, frame, cx) {
            Ok(bound) => return Ok(bound),
            Err(mismatch) => first = first.or(Some(mismatch)),
        }
    }
    let mut mismatch = first.unwrap_or_else(|| Mismatch {
        pointer: String::new(),
        expected: "no answer".to_owned(),
        actual: said(got),
    });
    if forms.len() > 1 {
        let all: Vec<String> = forms.iter().map(|f| describe_form(f, frame, cx)).collect();
        mismatch.expected = all.join(" or ");
    }
    Err(mismatch)
}

fn match_form(
    form: &AnswerForm,
    got: Got<'_>,
    action: &str,
    frame: FrameId,
    cx: &Cx,
) -> Result<Bound, Mismatch> {
    let mut bound = Bound::new();
    match (form, got) {
        (AnswerForm::Result(pattern), Got::Result(payload)) => {
            let ty = object_type(cx, action, Part::Response);
            cx.values
                .match_object(pattern, payload, ty, frame, "", &mut bound)?;
            Ok(bound)
        }
        (AnswerForm::Error { code: pattern }, Got::Error { code, .. }) => {
            let value = Json::from(code);
            cx.values
                .match_pattern(pattern, Some(&value), None, frame, "", &mut bound)?;
            Ok(bound)
        }
        (form, got) => Err(Mismatch {
            pointer: String::new(),
            expected: describe_form(form, frame, cx),
            actual: said(got),
        }),
    }
}

/// An answer form in words.
pub(super) fn describe_form(form: &AnswerForm, frame: FrameId, cx: &Cx) -> String {
    match form {
        AnswerForm::Result(pattern) => format!("CALLRESULT {}", cx.values.describe_object(pattern, frame)),
        AnswerForm::Error { code } => format!("CALLERROR {}", cx.values.describe(code, frame)),
        AnswerForm::Silence => "no answer".to_owned(),
    }
}

/// An answer as it came, in words.
pub(super) fn said(got: Got<'_>) -> String {
    match got {
        Got::Result(payload) => format!("CALLRESULT {payload}"),
        Got::Error { code, description } => format!("CALLERROR {code} {description:?}"),
    }
}

/// What a CALL without answer line asks of its answer: that the schema accepts it (rule 1).
pub(super) fn accepted(got: Got<'_>, action: &str, cx: &Cx) -> Result<(), Mismatch> {
    let Got::Result(payload) = got else {
        return Err(Mismatch {
            pointer: String::new(),
            expected: "a CALLRESULT".to_owned(),
            actual: said(got),
        });
    };
    let violations = plugfest_protocol::validate(cx.story.edition, action, Part::Response, payload);
    match violations
        .into_iter()
        .find(|v| v.severity == plugfest_protocol::Severity::Must)
    {
        None => Ok(()),
        Some(v) => Err(Mismatch {
            pointer: v.pointer,
            expected: v.expected,
            actual: v.got,
        }),
    }
}
