//! What is measured.

use crate::side::Side;

const USAGE: &str = "\
benches/run.sh [OPTIONS]

  --quick             a tenth of everything and no storm, to see whether it works
  --events N          in a full queue (50000)
  --rounds N          of full queues, each side in turn; the median counts (3)
  --rates R[,R]       events a second in the open loop (500,2000); 0 for none
  --seconds N         of the open loop, at each rate (20)
  --sides S[,S]       raw, sqlite, postgres (all)
  --storm N           logins waiting while withdrawals come (200000); 0 for none
  --json FILE         writes the figures as JSON
";

pub struct Options {
    pub full: bool,
    pub events: usize,
    pub rounds: usize,
    pub rates: Vec<u32>,
    pub seconds: u32,
    pub sides: Vec<Side>,
    pub storm: Option<usize>,
    pub json: Option<String>,
}

impl Options {
    /// Ends the program when they cannot be understood.
    pub fn parse(arguments: &[String]) -> Self {
        Self::read(arguments).unwrap_or_else(|problem| {
            eprint!("{problem}\n\n{USAGE}");
            std::process::exit(2);
        })
    }

    fn read(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            full: true,
            events: 50_000,
            rounds: 3,
            rates: vec![500, 2000],
            seconds: 20,
            sides: vec![Side::Raw, Side::Sqlite, Side::Postgres],
            storm: Some(200_000),
            json: None,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                // Cargo's own.
                "--bench" => {}
                "--help" | "-h" => {
                    print!("{USAGE}");
                    std::process::exit(0);
                }
                "--quick" => {
                    (options.events, options.rounds, options.seconds) = (5000, 1, 3);
                    options.storm = None;
                }
                "--events" => options.events = number(value()?)?,
                "--rounds" => options.rounds = number(value()?)?,
                "--seconds" => options.seconds = number(value()?)?,
                "--rates" => options.rates = list(value()?, number)?,
                "--sides" => options.sides = list(value()?, Side::named)?,
                "--storm" => options.storm = Some(number(value()?)?),
                "--json" => options.json = Some(value()?.clone()),
                other => return Err(format!("there is no option {other}")),
            }
        }
        options.rates.retain(|rate| *rate > 0);
        options.storm = options.storm.filter(|waiting| *waiting > 0);
        options.full = options.events > 0 && options.rounds > 0;
        Ok(options)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn list<T>(text: &str, item: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(item).collect()
}
