//! Where log lines go, and what libraries may say.

use std::io::{IsTerminal, stderr};
use std::panic::PanicHookInfo;

use tracing::error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// What libraries may log, whatever the filter asks for: handlebars shows every value that it renders at debug, lapin
/// shows frames, and a returned message with its whole body even at warn.
const OTHERS_AT_MOST: LevelFilter = LevelFilter::WARN;
const SILENCED: &str = "lapin::returned_messages=off";

/// Starts logging to stderr: text on a terminal, JSON lines otherwise. `filter` is in tracing's syntax (`SHIRASE_LOG`).
pub fn start_logging(filter: &str) {
    let filter = EnvFilter::builder().parse_lossy(allowed(filter));
    std::panic::set_hook(Box::new(panicked));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    if stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    }
}

/// The filter as far as it may be followed: our own modules as asked, everybody else's at most at warn.
fn allowed(filter: &str) -> String {
    let mut directives = vec![format!("{OTHERS_AT_MOST}")];
    for directive in filter.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        let (target, level) = directive.rsplit_once('=').unwrap_or(("", directive));
        if target.starts_with("shirase") || directive.starts_with("shirase") {
            directives.push(directive.to_owned());
            continue;
        }
        let Ok(level) = level.parse::<LevelFilter>() else { continue };
        let capped = level.min(OTHERS_AT_MOST);
        if target.is_empty() {
            directives.extend([capped.to_string(), format!("shirase={level}")]);
        } else {
            directives.push(format!("{target}={capped}"));
        }
    }
    directives.push(SILENCED.to_owned());
    directives.join(",")
}

/// A panic's message may have been made of data; where it happened has not, nor has a literal.
fn panicked(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let payload =
        panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not shown: it may hold data)");
    error!(place, payload, "panic: this is a bug");
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn whatever_is_asked_for_libraries_log_at_most_warnings_and_never_a_message_s_body() {
        for (asked, given) in [
            ("info", "warn,warn,shirase=info,lapin::returned_messages=off"),
            ("trace", "warn,warn,shirase=trace,lapin::returned_messages=off"),
            ("error", "warn,error,shirase=error,lapin::returned_messages=off"),
            ("handlebars=debug", "warn,handlebars=warn,lapin::returned_messages=off"),
            (
                "shirase::broker=debug,lapin=trace",
                "warn,shirase::broker=debug,lapin=warn,lapin::returned_messages=off",
            ),
            (
                "lapin::returned_messages=warn",
                "warn,lapin::returned_messages=warn,lapin::returned_messages=off",
            ),
            ("", "warn,lapin::returned_messages=off"),
        ] {
            assert_eq!(allowed(asked), given);
        }
    }
}
