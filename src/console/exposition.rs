//! The page of metrics, read back. Pure.

/// One series' value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub name: String,
    labels: Vec<(String, String)>,
    pub value: f64,
}

/// Every series of a page.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Exposition(Vec<Sample>);

impl Exposition {
    /// Reads a page in Prometheus' text format; a line that is none is passed over.
    pub fn parse(page: &str) -> Self {
        Self(page.lines().filter_map(sample).collect())
    }

    /// The series of a metric that have all of these labels.
    pub fn of<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let has_all = |sample: &&Sample| labels.iter().all(|(key, value)| sample.label(key) == Some(*value));
        self.0.iter().filter(move |sample| sample.name == name).filter(has_all)
    }

    /// Their sum; nothing when there is none, or one of them is not known.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let sum = self.of(name, labels).map(|sample| sample.value).reduce(|sum, value| sum + value)?;
        sum.is_finite().then_some(sum)
    }

    /// As [`Self::value`], as a number of things.
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
        self.value(name, labels).map(whole)
    }
}

impl Sample {
    /// A label's value.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A count as Prometheus writes it. Below zero or not a number is 0.
pub(super) fn whole(value: f64) -> u64 {
    value.max(0.0).round() as u64
}

fn sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let name_ends = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(name_ends);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// What stands between the braces, and what follows them.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, value) = rest.split_once("=\"")?;
        let (value, after) = quoted(value)?;
        labels.push((name.to_owned(), value));
        rest = after;
    }
}

/// A quoted text up to its closing quote, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_found_by_name_and_labels_and_summed() {
        let page = Exposition::parse(
            "# HELP a_total x{y=\"z\"} 1\n# TYPE a_total counter\na_total{lane=\"critical\",reason=\"x\"} 2\n\
             a_total{lane=\"critical\",reason=\"y\"} 3\na_total{lane=\"standard\",reason=\"x\"} 4\nb 0.5\n\nbroken\nb{x 1\n",
        );
        assert_eq!(page.value("a_total", &[("lane", "critical")]), Some(5.0));
        assert_eq!(page.count("a_total", &[]), Some(9));
        assert_eq!(page.value("a_total", &[("lane", "none")]), None);
        assert_eq!(page.value("b", &[]), Some(0.5));
        assert_eq!(page.value("c", &[]), None);
    }

    #[test]
    fn a_name_may_hold_whatever_a_person_writes() {
        let page = Exposition::parse("g{gateway=\"a, \\\"b\\\" }\\\\ = 本\\n\",le=\"+Inf\"} 7\n");
        let sample = page.of("g", &[]).next().expect("a series");
        assert_eq!((sample.label("gateway"), sample.value), (Some("a, \"b\" }\\ = 本\n"), 7.0));
        assert_eq!(sample.label("le"), Some("+Inf"));
    }

    #[test]
    fn what_nobody_knows_is_nothing() {
        let page = Exposition::parse("waiting NaN\n");
        assert_eq!(page.count("waiting", &[]), None);
    }

    #[test]
    fn it_reads_what_the_recorder_writes() {
        let recorder = crate::telemetry::metrics_builder().expect("buckets").build_recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("shirase_dead_letters_total", "reason" => "schema").increment(3);
            metrics::histogram!("shirase_notify_seconds", "lane" => "critical", "channel" => "sms")
                .record(4.0);
        });
        let page = Exposition::parse(&recorder.handle().render());
        assert_eq!(page.count("shirase_dead_letters_total", &[("reason", "schema")]), Some(3));
        let bounds = page.of("shirase_notify_seconds_bucket", &[("lane", "critical")]);
        let five = bounds.filter_map(|one| Some((one.label("le")?.parse::<f64>().ok()?, one.value)));
        assert!(five.into_iter().any(|bucket| bucket == (5.0, 1.0)));
    }
}
