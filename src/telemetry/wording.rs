//! What becomes of changed templates.

use metrics::counter;
use tracing::{debug, info, warn};

use crate::wording::{Refusal, Reload, ReloadResult, Why};

/// Mistakes that are logged of one set; beyond that only their number.
const MAX_LOGGED: usize = 20;

/// The worker watches its templates: the series are there before anything happens.
pub fn wording_watched(dir: &str, version: &str, by_itself: bool) {
    for result in ReloadResult::ALL {
        counter!("shirase_template_reloads_total", "result" => result.as_str()).absolute(0);
    }
    let when = if by_itself { "on change and on SIGHUP" } else { "on SIGHUP" };
    info!(dir, template_version = version, when, "templates are reloaded");
}

/// The folder of templates was read anew.
pub fn wording_reloaded(reload: &Reload, in_use: &str) {
    counter!("shirase_template_reloads_total", "result" => reload.result().as_str()).increment(1);
    match reload {
        Reload::Loaded { version, before, warnings } => {
            info!(
                template_version = version,
                version_before = before,
                warnings,
                "templates loaded: in use from now on"
            );
        }
        Reload::Unchanged { put_back: true } => {
            info!(template_version = in_use, "templates put back as they were: nothing is refused any more");
        }
        Reload::Unchanged { put_back: false } => debug!(template_version = in_use, "templates unchanged"),
        Reload::Refused(refusal) | Reload::RefusedStill(refusal) => wording_refused(refusal, in_use),
    }
}

/// One line for the set, and one for each mistake: they are what somebody has to mend.
fn wording_refused(refusal: &Refusal, in_use: &str) {
    let findings = match &refusal.why {
        Why::Findings(findings) => findings.as_slice(),
        Why::Unreadable(_) | Why::Panicked => &[],
    };
    warn!(
        template_version = in_use,
        refused_version = refusal.version,
        mistakes = findings.len(),
        detail = refusal.in_a_line(),
        "templates refused: sending goes on with the set in use"
    );
    for finding in findings.iter().take(MAX_LOGGED) {
        let example = finding.example.as_deref();
        warn!(
            place = %finding.place,
            what = finding.what,
            mend = finding.mend,
            rule = finding.rule,
            example,
            "mistake in a template"
        );
    }
    if let Some(more) = findings.len().checked_sub(MAX_LOGGED).filter(|more| *more > 0) {
        warn!(more, "more mistakes in templates: `shirase check` lists all of them");
    }
}
