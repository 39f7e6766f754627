//! What a metrics page or a log holds.

/// Whether a text holds one of the tests' addresses or numbers.
pub fn names_somebody(text: &str) -> bool {
    // Of the lengths that a number has: the fraction of a time may begin alike.
    let number = |digits: &str| {
        (digits.len() == 11 && digits.starts_with("0901"))
            || (digits.len() == 12 && digits.starts_with("81901"))
    };
    text.contains("@example")
        || text.contains("山田")
        || text.split(|c: char| !c.is_ascii_digit()).any(number)
}

/// A metric's sum over all its series that hold these labels.
pub fn metric(text: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let wanted: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    let series = text.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, labels) = series.split_once('{').unwrap_or((series, ""));
        let fits = found == name && wanted.iter().all(|label| labels.contains(label));
        fits.then(|| value.parse::<f64>().expect("a number"))
    });
    series.sum()
}
