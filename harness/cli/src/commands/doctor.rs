//! `plugfest doctor`: whether everything that a run needs is there.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use plugfest_case::Library;
use plugfest_play::driver::{Driver, Hands};
use plugfest_play::transport::TlsInfo;
use plugfest_reports::{exit, one_line};

use crate::args::{Doctor, Global};
use crate::ask::{self, Told, Whom};
use crate::config::{self, Config, Endpoint};
use crate::failure::Failure;
use crate::out::Out;
use crate::{cases, signals};

/// Open files that a run with a hundred stations needs.
const DESCRIPTORS: u64 = 1_024;
/// A clock that is further off, in seconds, makes cases fail.
const CLOCK: u64 = 10;

/// How a question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Health {
    Fine,
    Odd,
    Bad,
}

pub(super) fn run(global: &Global, doctor: &Doctor, out: &mut Out) -> Result<u8, Failure> {
    let library = cases::load(global)?;
    let mut sheet = Sheet {
        out,
        worst: Health::Fine,
    };
    sheet.say(
        Health::Fine,
        "cases",
        &format!("{} in order", library.cases().len()),
    )?;
    let Some(config) = config::find(global, &library)? else {
        sheet.say(
            Health::Odd,
            "profile",
            "none: `plugfest run` tests the embedded reference devices",
        )?;
        descriptors(&mut sheet)?;
        return Ok(exit::OK);
    };
    sheet.say(
        Health::Fine,
        "profile",
        &format!("{} of a {}", config.path.display(), config.dut.role()),
    )?;
    descriptors(&mut sheet)?;
    pools(&config, &mut sheet)?;
    questions(&config, &library, &mut sheet)?;
    let runtime = super::runtime()?;
    let asked = runtime.block_on(async {
        let mut interrupt = signals::interrupt()?;
        tokio::select! {
            done = device(&config, &library, doctor, &mut sheet) => done.map(|()| None),
            by = signals::wait(&mut interrupt) => Ok(Some(by)),
        }
    });
    runtime.shutdown_background();
    if let Some(by) = asked? {
        return Ok(exit::of_interruption(&by).unwrap_or(exit::SIGINT));
    }
    Ok(if sheet.worst == Health::Bad {
        exit::UNDECIDED
    } else {
        exit::OK
    })
}

async fn device(
    config: &Config,
    library: &Library,
    doctor: &Doctor,
    sheet: &mut Sheet<'_>,
) -> Result<(), Failure> {
    driver(config, sheet).await?;
    let whom = Whom::of(config, library);
    let patience = Duration::from_secs(doctor.patience);
    match &config.dut.endpoint {
        Endpoint::Csms { .. } => match ask::reach(&whom).await {
            Ok((_, told)) => reached(&told, sheet)?,
            Err(why) => return sheet.say(Health::Bad, "connection", &why),
        },
        Endpoint::Station { listen, tls } => {
            let bound = match ask::listen(&config.dut.endpoint) {
                Ok(listen) => listen.bind().await.map(drop).map_err(|error| error.to_string()),
                Err(why) => Err(why),
            };
            match bound {
                Ok(()) => {
                    let scheme = if tls.is_some() { "wss" } else { "ws" };
                    let identity = whom.identity.unwrap_or_default();
                    let text = format!(
                        "free; the station dials {scheme}://<this machine>:{}/{identity}",
                        listen.port()
                    );
                    sheet.say(Health::Fine, "port", &text)?;
                }
                Err(why) => return sheet.say(Health::Bad, "port", &why),
            }
        }
    }
    if !doctor.ask {
        return sheet.say(Health::Fine, "device", "not asked; `plugfest doctor --ask` does");
    }
    match ask::ask(&whom, patience).await {
        Ok(told) => answered(config, library, &told, sheet),
        Err(why) => sheet.say(Health::Bad, "device", &why),
    }
}

fn reached(told: &Told, sheet: &mut Sheet<'_>) -> Result<(), Failure> {
    match &told.tls {
        Some(TlsInfo {
            version,
            cipher_suite,
            ..
        }) => {
            sheet.say(
                Health::Fine,
                "tls",
                &format!("{version}, {cipher_suite}; its certificate is trusted"),
            )?;
        }
        None => sheet.say(Health::Fine, "tls", "none")?,
    }
    sheet.say(
        Health::Fine,
        "connection",
        &format!("upgraded as `{}`", told.identity),
    )?;
    remarks(told, sheet)
}

fn remarks(told: &Told, sheet: &mut Sheet<'_>) -> Result<(), Failure> {
    for remark in &told.remarks {
        sheet.say(Health::Odd, "subprotocol", remark)?;
    }
    for flaw in &told.flaws {
        sheet.say(Health::Odd, "upgrade", &format!("flawed: {flaw}"))?;
    }
    Ok(())
}

/// What the device told, compared with the profile.
fn answered(config: &Config, library: &Library, told: &Told, sheet: &mut Sheet<'_>) -> Result<(), Failure> {
    let words: Vec<String> = told
        .words
        .iter()
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    sheet.say(
        Health::Fine,
        "device",
        &format!("`{}` answers: {}", told.identity, words.join(", ")),
    )?;
    if config.dut.role() == "station" {
        remarks(told, sheet)?;
    }
    if let Some((theirs, ours)) = told.clock {
        let off = theirs.distance(ours).as_secs();
        let health = if off > CLOCK { Health::Odd } else { Health::Fine };
        sheet.say(health, "clock", &format!("{off} s off"))?;
    }
    let answers = super::init::answers(library.facts(config.dut.edition.name()), &told.config);
    let differing = answers
        .iter()
        .filter(|(code, answer)| config.pics.get(*code).is_some_and(|it| it != *answer));
    for (code, answer) in differing {
        sheet.say(
            Health::Odd,
            "pics",
            &format!("{code}: the device says {answer}, the profile says otherwise"),
        )?;
    }
    Ok(())
}

async fn driver(config: &Config, sheet: &mut Sheet<'_>) -> Result<(), Failure> {
    let Some(driver) = &config.driver else {
        return sheet.say(
            Health::Odd,
            "driver",
            "none: cases that need hands or an operator will be blocked",
        );
    };
    // The person is asked when it comes to it; everything else is started for a look.
    let made = Driver::new(driver, &Hands::default()).map_err(|error| Failure::usage(error.to_string()))?;
    match made.start().await {
        Ok(()) => sheet.say(
            Health::Fine,
            "driver",
            "in order; `plugfest driver check` and `driver try` look closer",
        ),
        Err(error) => sheet.say(Health::Bad, "driver", &error.to_string()),
    }
}

fn pools(config: &Config, sheet: &mut Sheet<'_>) -> Result<(), Failure> {
    for (kind, wanted) in [("valid", 2), ("invalid", 1), ("blocked", 1), ("expired", 1)] {
        let there = config.pools.tags.get(kind).map_or(0, Vec::len);
        if there < wanted {
            let text = format!("{there} of {wanted} `{kind}` tags: cases that use them will be blocked");
            sheet.say(Health::Odd, "tags", &text)?;
        }
    }
    if config.pools.groups.is_empty() {
        sheet.say(
            Health::Odd,
            "tags",
            "no group: cases about parent tags will be blocked",
        )?;
    }
    Ok(())
}

/// PICS questions that only a person can answer and nobody has.
fn questions(config: &Config, library: &Library, sheet: &mut Sheet<'_>) -> Result<(), Failure> {
    let facts = library.facts(config.dut.edition.name());
    for (code, asked) in &facts.pics {
        let ours = asked.of.as_deref().is_none_or(|of| of == config.dut.role());
        if ours && asked.ask.is_none() && asked.default.is_none() && !config.pics.contains_key(code) {
            sheet.say(
                Health::Odd,
                "pics",
                &format!("{code} is not answered: {}", asked.question),
            )?;
        }
    }
    Ok(())
}

fn descriptors(sheet: &mut Sheet<'_>) -> Result<(), Failure> {
    // The kernel tells it in a file; other systems have no such file, and no such small limit.
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let Some(most) = open_files(&limits) else {
        return Ok(());
    };
    let health = if most < DESCRIPTORS {
        Health::Odd
    } else {
        Health::Fine
    };
    sheet.say(health, "descriptors", &format!("{most} open files allowed"))
}

fn open_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The answers, as they are written down.
struct Sheet<'o> {
    out: &'o mut Out,
    worst: Health,
}

impl Sheet<'_> {
    fn say(&mut self, health: Health, what: &str, text: &str) -> Result<(), Failure> {
        self.worst = self.worst.max(health);
        let (word, colour) = match health {
            Health::Fine => ("ok  ", "32"),
            Health::Odd => ("look", "33"),
            Health::Bad => ("bad ", "31"),
        };
        let word = if self.out.colour {
            format!("\u{1b}[{colour}m{word}\u{1b}[0m")
        } else {
            word.to_owned()
        };
        writeln!(self.out, "{word}  {what:<12} {}", one_line(text))?;
        self.out.flush()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::open_files;

    #[test]
    fn the_limit_is_read_from_the_kernel_s_table() {
        let table = "Limit                     Soft Limit           Hard Limit           Units\n\
                     Max open files            1024                 524288               files\n";
        assert_eq!(open_files(table), Some(1024));
        assert_eq!(
            (open_files(""), open_files("Max open files unlimited")),
            (None, None)
        );
    }
}
