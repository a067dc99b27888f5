//! `plugfest mutants`: what share of real defects the suite finds.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use globset::{Glob, GlobMatcher};
use plugfest_protocol::Edition;
use plugfest_reference::defect::{Confidence, table};
use plugfest_reports::exit;
use tokio::sync::watch;

use crate::args::{Global, Mutants};
use crate::cases;
use crate::failure::Failure;
use rayon::ThreadPoolBuilder;

use crate::in_memory::Common;
use crate::mutants::runner::Suite;
use crate::mutants::score::{Recorded, Tally, percent, with};
use crate::mutants::{Judged, Mutant, Outcome, derive, equivalent, report};
use crate::out::Out;

pub(super) fn run(global: &Global, arguments: &Mutants, out: &mut Out) -> Result<u8, Failure> {
    if arguments.list {
        return list(arguments, out);
    }
    let edition = edition(arguments)?;
    let library = cases::load(global)?;
    let pool = ThreadPoolBuilder::new()
        // Zero is as many as there are cores.
        .num_threads(arguments.jobs.map_or(0, |jobs| jobs as usize))
        .build()
        .map_err(|error| Failure::bug(format!("no threads: {error}")))?;
    let (_keep, interrupt) = watch::channel(None);
    let common = Common {
        library: &library,
        seed: arguments.seed,
        vary: 0,
        traces: None,
        jobs: 1,
        fail_fast: false,
        real: false,
        interrupt,
    };
    let quiet = global.quiet;
    let told = AtomicUsize::new(0);
    let progress = |what: &str, done: usize, all: usize| {
        let tenth = done * 10 / all.max(1);
        if !quiet && told.fetch_max(tenth, Ordering::Relaxed) < tenth {
            tell(what, done, all);
        }
    };
    let roles = roles(arguments);
    let only = globs(&arguments.only)?;
    let wanted = |case: &str| only.is_empty() || only.iter().any(|glob| glob.is_match(case));
    let rehearsed = |done, all| progress("rehearsed", done, all);
    let suite = pool.install(|| Suite::rehearse(&common, &library, &roles, &wanted, &rehearsed));
    if suite.stages.is_empty() {
        return Err(
            Failure::usage("no case fits what was asked for".to_owned()).hint("plugfest list names them all")
        );
    }
    told.store(0, Ordering::Relaxed);
    let dirty = dirty(&suite, out)?;
    let mutants = chosen(arguments, &suite, edition, &roles)?;
    let whole = arguments.what.is_empty() && arguments.role.is_none() && only.is_empty();
    let played = |done, all| progress("played", done, all);
    let judged = pool.install(|| suite.judge(mutants, &played));
    for one in &judged {
        writeln!(out, "{}", report::line(one))?;
    }
    if let Some(file) = &arguments.json {
        let json = report::json(edition.name(), &judged);
        std::fs::write(file, json.to_string())
            .map_err(|error| Failure::undecided(format!("{} cannot be written: {error}", file.display())))?;
    }
    let fine = if arguments.generic {
        sum_slips(&judged, whole, out)?
    } else {
        sum_rows(&judged, whole, arguments.strict, out)?
    };
    Ok(if fine && !dirty { exit::OK } else { exit::FAILED })
}

/// Progress goes where it is in nobody's way.
fn tell(what: &str, done: usize, all: usize) {
    let mut err = std::io::stderr().lock();
    // Who closed standard error does not want to know.
    let _unheard = writeln!(err, "{what} {done} of {all}");
}

fn roles(arguments: &Mutants) -> Vec<&'static str> {
    arguments
        .role
        .map_or_else(|| vec!["station", "csms"], |role| vec![role.as_str()])
}

fn edition(arguments: &Mutants) -> Result<&'static Edition, Failure> {
    Edition::by_name(&arguments.protocol).ok_or_else(|| {
        Failure::usage(format!(
            "--protocol: there are no defects of {}",
            arguments.protocol
        ))
        .hint("OCPP-1.6 is what there is")
    })
}

/// The table without playing anything.
fn list(arguments: &Mutants, out: &mut Out) -> Result<u8, Failure> {
    edition(arguments)?;
    let roles = roles(arguments);
    for row in table()
        .iter()
        .filter(|row| row.roles.iter().any(|role| roles.contains(&role.as_str())))
    {
        let built = match (&row.later, row.defect()) {
            (Some(_), _) => "later",
            (None, Some(_)) => "built",
            (None, None) => "to be built",
        };
        writeln!(
            out,
            "{:<34} {:<12} {:<9} {built:<11} {} [{}]  {}",
            row.id,
            row.roles.join("+"),
            row.confidence.as_str(),
            row.wrong,
            row.clauses.join(", "),
            row.source,
        )?;
    }
    Ok(exit::OK)
}

fn chosen(
    arguments: &Mutants,
    suite: &Suite<'_>,
    edition: &Edition,
    roles: &[&str],
) -> Result<Vec<Mutant>, Failure> {
    let all = if arguments.generic {
        roles
            .iter()
            .flat_map(|role| derive::slips(suite, edition, role))
            .collect()
    } else {
        Mutant::listed()
    };
    let globs = globs(&arguments.what)?;
    let taken: Vec<Mutant> = all
        .into_iter()
        .filter(|mutant| roles.contains(&mutant.role.as_str()))
        .filter(|mutant| globs.is_empty() || globs.iter().any(|glob| glob.is_match(&mutant.id)))
        .collect();
    if taken.is_empty() {
        return Err(Failure::usage("no defect fits what was asked for".to_owned())
            .hint("plugfest mutants --list names them all"));
    }
    Ok(taken)
}

fn globs(texts: &[String]) -> Result<Vec<GlobMatcher>, Failure> {
    texts
        .iter()
        .map(|text| {
            Glob::new(text)
                .map(|glob| glob.compile_matcher())
                .map_err(|error| Failure::usage(format!("`{text}` is no pattern: {error}")))
        })
        .collect()
}

/// Tells what the clean devices were blamed for, which is a fault of ours.
fn dirty(suite: &Suite<'_>, out: &mut Out) -> Result<bool, Failure> {
    let mut any = false;
    for stage in suite.stages.iter().filter(|stage| !stage.clean.is_clean()) {
        any = true;
        let clean = &stage.clean;
        writeln!(
            out,
            "clean device   {}: {} {}",
            stage.name, clean.verdict, clean.reason
        )?;
        for finding in &clean.findings {
            writeln!(
                out,
                "    {} [{}] {}",
                finding.rule, finding.clause, finding.message
            )?;
        }
    }
    Ok(any)
}

fn sum_rows(judged: &[Judged], whole: bool, strict: bool, out: &mut Out) -> Result<bool, Failure> {
    for one in judged {
        for change in one.mutant.row.iter().flat_map(|row| &row.changed) {
            writeln!(out, "clauses changed: {}: {change}", one.mutant.id)?;
        }
        if let Some(regraded) = one.mutant.row.and_then(|row| row.regraded.as_ref()) {
            writeln!(out, "regraded: {}: {regraded}", one.mutant.id)?;
        }
    }
    write!(out, "{}", report::summary(judged))?;
    let tally = |confidence| Tally::of(with(judged, confidence));
    let (confirmed, quirks, contested) = (
        tally(Confidence::Confirmed),
        tally(Confidence::Quirk),
        tally(Confidence::Contested),
    );
    writeln!(
        out,
        "score: {} of {} confirmed defects killed, {}",
        confirmed.killed(),
        confirmed.all(),
        percent(confirmed.killed(), confirmed.all())
    )?;
    let mut fine = true;
    // A contested reading may be warned of, never failed.
    for one in with(judged, Confidence::Contested).filter(|one| one.outcome == Outcome::Killed) {
        writeln!(out, "contested, but failed: {}", report::line(one))?;
        fine = false;
    }
    if strict && quirks.noticed() < quirks.all() {
        writeln!(
            out,
            "strict: {} of {} quirks noticed",
            quirks.noticed(),
            quirks.all()
        )?;
        fine = false;
    }
    if whole {
        let recorded = recorded()?;
        for (what, now, before) in [
            (
                "confirmed defects killed",
                confirmed.killed(),
                recorded.confirmed_killed,
            ),
            ("quirks noticed", quirks.noticed(), recorded.quirks_noticed),
            (
                "contested defects warned of",
                contested.count(Outcome::Warned),
                recorded.contested_warned,
            ),
        ] {
            fine &= kept(what, now, before, out)?;
        }
    }
    Ok(fine)
}

fn sum_slips(judged: &[Judged], whole: bool, out: &mut Out) -> Result<bool, Failure> {
    let shown: Vec<&Judged> = judged
        .iter()
        .filter(|one| one.outcome != Outcome::NotActivated)
        .collect();
    let mut equivalents = 0;
    let mut gaps = 0;
    for one in shown.iter().filter(|one| one.outcome > Outcome::Warned) {
        match equivalent::why(&one.mutant.role, &one.mutant.id) {
            Some(why) => {
                equivalents += 1;
                writeln!(out, "equivalent: {} {}: {why}", one.mutant.role, one.mutant.id)?;
            }
            None => {
                gaps += 1;
                writeln!(out, "gap: {} {}", one.mutant.role, one.mutant.id)?;
            }
        }
    }
    for role in ["station", "csms"] {
        let tally = Tally::of(judged.iter().filter(|one| one.mutant.role == role));
        if tally.all() > 0 {
            writeln!(out, "{}", report::counts(role, &tally))?;
        }
    }
    let tally = Tally::of(shown.iter().copied());
    let caught = tally.noticed() + equivalents;
    writeln!(
        out,
        "score: {caught} of {} slips that showed on the wire are noticed ({} killed, {} warned of) or equivalent ({equivalents}), {}; {gaps} gaps",
        shown.len(),
        tally.killed(),
        tally.count(Outcome::Warned),
        percent(caught, shown.len()),
    )?;
    if !whole {
        return Ok(true);
    }
    kept(
        "slips noticed or equivalent",
        caught,
        recorded()?.slips_killed_or_equivalent,
        out,
    )
}

fn recorded() -> Result<Recorded, Failure> {
    Recorded::read().map_err(|error| Failure::undecided(format!("docs/score.json cannot be read: {error}")))
}

/// Whether a figure is no lower than the recorded one.
fn kept(what: &str, now: usize, before: usize, out: &mut Out) -> Result<bool, Failure> {
    if now < before {
        writeln!(
            out,
            "dropped: {now} {what}, {before} are recorded in docs/score.json"
        )?;
    } else if now > before {
        writeln!(
            out,
            "better: {now} {what}, {before} are recorded in docs/score.json"
        )?;
    }
    Ok(now >= before)
}
