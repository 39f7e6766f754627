//! What is measured.

use crate::side::Side;

const USAGE: &str = "\
benches/run.sh [OPTIONS]           the whole way, against a raw pipeline
  --quick             a tenth of everything and no storm, to see whether it works
  --events N          in a full queue (50000); 0 for none
  --rounds N          of full queues, each side in turn; the median counts (3)
  --starts N          of a worker while an event waits; the median counts (5); 0 for none
  --processes N[,N]   workers that share a full queue and PostgreSQL, --events and --rounds of each (none)
  --rates R[,R]       events a second in the open loop (500,2000); 0 for none
  --seconds N         of the open loop, at each rate (20)
  --sides S[,S]       raw, sqlite, postgres (all); none for --processes alone
  --storm N           logins waiting while withdrawals come (200000); 0 for none
  --json FILE         writes the figures as JSON

benches/run.sh soak [OPTIONS]      a worker's memory at a steady rate; exit code 1 if it grows by more than a tenth
  --minutes N         (30), of which the first three are the warm-up
  --rate R            events a second, each for another recipient (1000)
  --side S            sqlite, postgres (sqlite)
  --refuse            the SMS gateway answers 503 to everything
  --json FILE         writes the samples as JSON

benches/run.sh micro [FILTER]      decode, plan, render, phone numbers and ledger one by one, with Criterion
";

/// What the program was asked for.
pub enum Task {
    Compare(Options),
    Soak(Soak),
}

pub struct Options {
    pub events: usize,
    pub rounds: usize,
    pub starts: usize,
    pub processes: Vec<usize>,
    pub rates: Vec<u32>,
    pub seconds: u32,
    pub sides: Vec<Side>,
    pub storm: Option<usize>,
    pub json: Option<String>,
}

pub struct Soak {
    pub minutes: usize,
    pub rate: usize,
    pub side: Side,
    pub refuse: bool,
    pub json: Option<String>,
}

impl Task {
    /// Ends the program when the arguments cannot be understood.
    pub fn parse(arguments: &[String]) -> Self {
        // The last one is Cargo's own.
        let arguments: Vec<&str> =
            arguments.iter().map(String::as_str).filter(|argument| *argument != "--bench").collect();
        if arguments.iter().any(|argument| ["--help", "-h"].contains(argument)) {
            print!("{USAGE}");
            std::process::exit(0);
        }
        let task = match arguments.as_slice() {
            ["soak", rest @ ..] => Soak::read(rest).map(Self::Soak),
            arguments => Options::read(arguments).map(Self::Compare),
        };
        task.unwrap_or_else(|problem| {
            eprint!("{problem}\n\n{USAGE}");
            std::process::exit(2);
        })
    }

    pub fn needs_postgres(&self) -> bool {
        match self {
            Self::Compare(options) => {
                options.sides.contains(&Side::Postgres) || !options.processes.is_empty()
            }
            Self::Soak(soak) => soak.side == Side::Postgres,
        }
    }
}

impl Options {
    fn read(arguments: &[&str]) -> Result<Self, String> {
        let mut options = Self {
            events: 50_000,
            rounds: 3,
            starts: 5,
            processes: vec![],
            rates: vec![500, 2000],
            seconds: 20,
            sides: vec![Side::Raw, Side::Sqlite, Side::Postgres],
            storm: Some(200_000),
            json: None,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().copied().ok_or_else(|| format!("{argument} needs a value"));
            match *argument {
                "--quick" => {
                    (options.events, options.rounds, options.seconds) = (5000, 1, 3);
                    (options.starts, options.storm) = (1, None);
                }
                "--events" => options.events = number(value()?)?,
                "--rounds" => options.rounds = number(value()?)?,
                "--starts" => options.starts = number(value()?)?,
                "--processes" => options.processes = list(value()?, number)?,
                "--seconds" => options.seconds = number(value()?)?,
                "--rates" => options.rates = list(value()?, number)?,
                "--sides" => options.sides = sides(value()?)?,
                "--storm" => options.storm = Some(number(value()?)?),
                "--json" => options.json = Some(value()?.to_owned()),
                other => return Err(format!("there is no option {other}")),
            }
        }
        options.rates.retain(|rate| *rate > 0);
        options.processes.retain(|count| *count > 0);
        options.storm = options.storm.filter(|waiting| *waiting > 0);
        Ok(options)
    }

    /// Rounds with a queue that has something in it.
    pub fn full_queues(&self) -> std::ops::Range<usize> {
        0..if self.events > 0 { self.rounds } else { 0 }
    }
}

impl Soak {
    fn read(arguments: &[&str]) -> Result<Self, String> {
        let mut soak = Self { minutes: 30, rate: 1000, side: Side::Sqlite, refuse: false, json: None };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().copied().ok_or_else(|| format!("{argument} needs a value"));
            match *argument {
                "--minutes" => soak.minutes = number(value()?)?,
                "--rate" => soak.rate = number(value()?)?,
                "--side" => soak.side = Side::named(value()?)?,
                "--refuse" => soak.refuse = true,
                "--json" => soak.json = Some(value()?.to_owned()),
                other => return Err(format!("soak has no option {other}")),
            }
        }
        if soak.minutes == 0 || soak.rate == 0 || soak.side == Side::Raw {
            return Err("a soak needs minutes, a rate and a worker".to_owned());
        }
        Ok(soak)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn list<T>(text: &str, item: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(item).collect()
}

fn sides(text: &str) -> Result<Vec<Side>, String> {
    if text == "none" { Ok(vec![]) } else { list(text, Side::named) }
}
