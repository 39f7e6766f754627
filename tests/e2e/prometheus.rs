//! A real Prometheus with the shipped rules watches a worker: what fires when something breaks, and that nothing does while
//! all is well. The rules' lengths of time are a twentieth of what is shipped (see `support/prometheus.rs`).

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::events::withdrawal;
use crate::gateway::{Answer, Gateway};
use crate::house::{House, PATIENCE};
use crate::support::{Firing, Prometheus, eventually};

const DASHBOARD: &str = include_str!("../../config/grafana/shirase.json");

/// The longest `for` of a page and its windows, a twentieth of them, and as much again.
const WATCHED: Duration = Duration::from_secs(30);

/// Name and severity of each.
fn in_short(alerts: &BTreeSet<Firing>) -> BTreeSet<(&str, &str)> {
    alerts.iter().map(|alert| (alert["alertname"].as_str(), alert["severity"].as_str())).collect()
}

#[track_caller]
fn wait_for(prometheus: &Prometheus, alert: &str, label: (&str, &str)) -> BTreeSet<Firing> {
    let is_it = |firing: &Firing| {
        firing["alertname"] == alert && firing.get(label.0).is_some_and(|value| value == label.1)
    };
    eventually(PATIENCE, &format!("{alert} to fire"), || {
        Some(prometheus.firing()).filter(|firing| firing.iter().any(is_it))
    })
}

/// The worker was seen to be up for so long.
#[track_caller]
fn watch(prometheus: &Prometheus, duration: Duration) {
    let seconds = duration.as_secs();
    let since = format!("up{{job=\"shirase\"}} and up{{job=\"shirase\"}} offset {seconds}s");
    eventually(PATIENCE + duration, "the worker to be watched", || {
        prometheus.query(&since).ok().filter(|found| !found.is_empty())
    });
}

#[test]
fn the_right_alert_fires_for_what_breaks_and_none_while_all_is_well() {
    let gateways = [Gateway::always(Answer::Accept), Gateway::always(Answer::Accept)];
    let patient = vec!["1s"; 30];
    let house = House::new("prometheus")
        .gateways(&gateways.each_ref().map(Gateway::url))
        .set("retry", &format!("schedule = {patient:?}"));
    let worker = house.start();
    let prometheus = Prometheus::watching(house.http);
    house.publish_all(&(0..20).map(withdrawal).collect::<Vec<_>>());
    house.wait_ended(20);
    watch(&prometheus, WATCHED);
    assert_eq!(prometheus.ever_fired(), BTreeSet::new(), "while all is well");
    let within = prometheus.query("1 - shirase:critical_late5s:increase1h / shirase:critical:increase1h");
    assert_eq!(within.expect("an answer")[0]["value"][1], "1", "all of them were told in time");

    // One of two: the other takes over, and nobody is woken.
    gateways[0].script(|_, _| Answer::Status(500));
    house.publish_all(&(20..40).map(withdrawal).collect::<Vec<_>>());
    house.wait_ended(40);
    let firing = wait_for(&prometheus, "ShiraseGatewayDown", ("gateway", "gateway-1"));
    assert_eq!(in_short(&firing), BTreeSet::from([("ShiraseGatewayDown", "ticket")]));

    // Both: somebody is.
    gateways[1].script(|_, _| Answer::Status(500));
    house.publish_all(&(40..60).map(withdrawal).collect::<Vec<_>>());
    let firing = wait_for(&prometheus, "ShiraseChannelWithoutWayOut", ("channel", "sms"));
    assert!(in_short(&firing).contains(&("ShiraseChannelWithoutWayOut", "page")), "{firing:?}");

    gateways.iter().for_each(|gateway| gateway.script(|_, _| Answer::Accept));
    house.wait_ended(60);
    let about_gateways = ["ShiraseGatewayDown", "ShiraseChannelWithoutWayOut", "ShiraseNothingDelivered"];
    eventually(PATIENCE, "what was mended to be over", || {
        let over = |firing: &Firing| !about_gateways.contains(&firing["alertname"].as_str());
        prometheus.firing().iter().all(over).then_some(())
    });

    house.stop(&worker);
    let firing = eventually(PATIENCE, "the worker to be missed", || {
        Some(prometheus.firing()).filter(|firing| in_short(firing).contains(&("ShiraseNoWorker", "page")))
    });
    assert!(!in_short(&firing).contains(&("ShiraseBrokerLost", "page")), "{firing:?}");
}

#[test]
fn every_question_of_the_dashboard_is_one_that_prometheus_answers() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("dashboard").gateways(&[gateway.url()]);
    let worker = house.start();
    let prometheus = Prometheus::watching(house.http);
    house.publish_all(&(0..20).map(withdrawal).collect::<Vec<_>>());
    house.wait_ended(20);
    watch(&prometheus, Duration::from_secs(10));
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let (mut asked, mut answered) = (0, 0);
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().into_iter().flatten() {
            // What Grafana puts in their place.
            let question = target["expr"].as_str().expect("a question");
            let question = question.replace("$__rate_interval", "10s").replace("$__range", "1m");
            let answer = prometheus.query(&question);
            let answer = answer.unwrap_or_else(|error| panic!("{}: {question}: {error}", panel["title"]));
            (asked, answered) = (asked + 1, answered + usize::from(!answer.is_empty()));
        }
    }
    // Without an answer is what this house does not have, or what did not happen: a canary, certificates, failures.
    assert!(answered * 3 > asked * 2, "{answered} of {asked} panels have something to show");
    house.stop(&worker);
}
