//! `plugfest prove`: every line of the cases is seen red on a doctored trace.

use std::collections::BTreeSet;
use std::io::Write as _;

use plugfest_play::prove::{LineProof, Outcome, prove};
use plugfest_reports::{exit, one_line};

use crate::args::{Global, Selection};
use crate::failure::Failure;
use crate::out::Out;
use crate::{cases, catalogue, embedded, select};

pub(super) fn run(global: &Global, selection: &Selection, out: &mut Out) -> Result<u8, Failure> {
    let library = cases::load(global)?;
    let all = library.cases().len();
    let lines = select::choose(selection, catalogue::lines(&library))?;
    let chosen: BTreeSet<&str> = lines.iter().map(|line| line.loaded.case.id.as_str()).collect();
    let proof = prove(&library, &embedded::values(), &|loaded| {
        chosen.contains(loaded.case.id.as_str())
    })
    .map_err(|error| Failure::undecided(format!("the cases cannot be played against themselves: {error}")))?;
    for line in &proof.lines {
        match &line.outcome {
            Outcome::Green { why } => writeln!(out, "not seen    {}: {}", place(line), one_line(why))?,
            Outcome::Excepted { reason } if out.verbose > 0 => {
                writeln!(out, "excepted    {}: {}", place(line), one_line(reason))?;
            }
            Outcome::Red if out.verbose > 0 => writeln!(out, "seen        {}", place(line))?,
            Outcome::Excepted { .. } | Outcome::Red => {}
        }
    }
    for unmet in &proof.unmet {
        let at = &unmet.line;
        let text = one_line(&at.text);
        writeln!(
            out,
            "never met   {}:{} {} ({}) `{text}`",
            at.file, at.line, unmet.case, unmet.role
        )?;
    }
    for broken in &proof.broken {
        writeln!(out, "not playing {}", one_line(broken))?;
    }
    // An exception of a case that was not asked for cannot be needed.
    let unused: Vec<_> = if chosen.len() == all {
        proof.unused.clone()
    } else {
        Vec::new()
    };
    for exception in &unused {
        writeln!(
            out,
            "not needed  the exception for {}, {}",
            exception.case, exception.doctoring
        )?;
    }
    writeln!(out, "{proof}")?;
    let whole = proof.green().next().is_none() && proof.unmet.is_empty() && proof.broken.is_empty();
    Ok(if whole && unused.is_empty() {
        exit::OK
    } else {
        exit::FAILED
    })
}

/// `file:line case (role) what was made wrong`
fn place(line: &LineProof) -> String {
    let at = &line.line;
    let playing = [line.variant.as_str(), line.world.as_str()]
        .into_iter()
        .filter(|it| !it.is_empty());
    let playing = playing.fold(String::new(), |text, it| text + ", " + it);
    let text = one_line(&at.text);
    let wrong = &line.doctoring;
    format!(
        "{}:{} {} ({}{playing}) `{text}`, {wrong}",
        at.file, at.line, line.case, line.role
    )
}
