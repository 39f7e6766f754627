//! The circuits of the worker at `http.listen`, as its metrics say.

use std::collections::BTreeMap;

use super::super::at_worker;
use crate::admin::Listen;

const SERIES: &str = "shirase_gateway_circuit{gateway=\"";

/// By gateway: `closed`, `half_open`, `open`.
pub(super) type Circuits = BTreeMap<String, &'static str>;

/// Asks the worker.
///
/// # Errors
/// Where it was asked, and what went wrong, in words.
pub(super) async fn ask(listen: Listen) -> Result<Circuits, String> {
    let url = at_worker::url(listen, "/metrics");
    let page = async { at_worker::get(&url).await?.text().await };
    match page.await {
        Ok(page) => Ok(read(&page)),
        Err(error) => Err(format!("no worker tells its circuits at {url} ({})", error.without_url())),
    }
}

fn read(page: &str) -> Circuits {
    let circuit = |line: &str| {
        let (name, value) = line.strip_prefix(SERIES)?.split_once("\"} ")?;
        let circuit = match value {
            "0" => "closed",
            "1" => "half_open",
            "2" => "open",
            _ => return None,
        };
        Some((name.to_owned(), circuit))
    };
    page.lines().filter_map(circuit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circuits_are_read_from_the_page_of_metrics_and_all_else_is_left_alone() {
        let page = "# TYPE shirase_gateway_circuit gauge\n\
                    shirase_gateway_circuit{gateway=\"primary\"} 2\n\
                    shirase_gateway_circuit{gateway=\"mta\"} 0\n\
                    shirase_gateway_circuit{gateway=\"new\"} 7\n\
                    shirase_gateway_up{gateway=\"primary\"} 1\n";
        let expected = [("mta".to_owned(), "closed"), ("primary".to_owned(), "open")];
        assert_eq!(read(page), Circuits::from(expected));
    }
}
