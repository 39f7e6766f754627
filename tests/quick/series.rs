//! Whatever is thrown at a worker, the number of its series stays the same and none holds anything of the events.

use std::collections::BTreeSet;

use metrics_exporter_prometheus::PrometheusRecorder;
use serde_json::{Value, json};
use shirase::telemetry::{catalog_loaded, gateway_configured, metrics_builder};

use crate::house;
use crate::pipeline::{World, login, mail_through, sms_through, world};
use crate::script::{Http, Reply, Smtp, Stage, answer, cut};

/// What all made-up texts begin with, and nobody may find in a label.
const MADE_UP: &str = "zzq";

/// Events of every shape that there is, with texts that come from `random`.
fn wave(random: &mut fastrand::Rng, count: usize) -> Vec<Value> {
    let mut text = || format!("{MADE_UP}{:016x}", random.u64(..));
    let event = |number: usize| {
        let mut event = login(number.is_multiple_of(3));
        event["id"] = json!(text());
        event["source"] = json!(format!("/{}", text()));
        match number % 12 {
            0 => event["type"] = json!(text()),
            1 => event["specversion"] = json!(text()),
            2 => event["time"] = json!(text()),
            3 => event["data"]["recipient"] = json!(text()),
            4 => event["data"]["recipient"]["settings"] = json!({"channel": text()}),
            5 => event["data"]["recipient"]["phone"] = json!(text()),
            6 => event["data"]["device"] = json!({"name": text(), "os": text(), "browser": text()}),
            7 => event["data"]["recipient"]["user_id"] = json!(text()),
            8 => event["traceparent"] = json!(text()),
            9 => event["data"]["location"] = json!(text()),
            _ => event["data"]["ip"] = json!(text()),
        }
        event
    };
    (0..count).map(event).collect()
}

/// Statuses, bodies and broken answers in turn, each with a text of its own.
async fn moody_gateway() -> Http {
    Http::start(|_, number| match number % 9 {
        0 => answer(200, &[], &format!("{{\"message_id\":\"{MADE_UP}{number}\"}}")),
        1 => answer(422, &[], &format!("{{\"error\":\"{MADE_UP}{number}\"}}")),
        2 => answer(429, &[("retry-after", format!("{MADE_UP}{number}").as_str())], ""),
        3 => answer(401, &[], &format!("{MADE_UP}{number}")),
        4 => answer(503, &[], &format!("{MADE_UP}{number}")),
        5 => answer(418, &[], &format!("{MADE_UP}{number}")),
        6 => Reply::SayAndClose(format!("{MADE_UP}{number}\r\n")),
        7 => cut(),
        _ => answer(200, &[], "{}"),
    })
    .await
}

async fn moody_relay() -> Smtp {
    Smtp::start(|stage, _, before| {
        let refused = stage == Stage::Rcpt && before % 2 == 1;
        refused.then(|| Reply::Say(format!("55{} 5.1.1 {MADE_UP}{before}\r\n", before % 5)))
    })
    .await
}

fn series(recorder: &PrometheusRecorder) -> BTreeSet<String> {
    let page = recorder.handle().render();
    let series = page.lines().filter(|line| line.starts_with("shirase_"));
    series.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
}

async fn throw(world: &World, events: &[Value]) {
    for (number, event) in events.iter().enumerate() {
        world.dispatch(event, u32::try_from(number % 4).expect("small")).await;
    }
}

#[tokio::test]
async fn hundreds_of_different_events_and_answers_make_no_series_that_a_few_dozen_did_not() {
    let recorder = metrics_builder().expect("every histogram has buckets").build_recorder();
    // Of this thread, on which all of the test's tasks run.
    let _recording = metrics::set_default_local_recorder(&recorder);
    let (gateway, relay) = (moody_gateway().await, moody_relay().await);
    let world = world(|config| {
        sms_through(config, &[&gateway]);
        mail_through(config, &relay);
        // What the gateway answers is the test's matter, not that it is left alone.
        config.sms.gateways[0].common.breaker.enabled = false;
        config.email.relays[0].breaker.enabled = false;
    })
    .await;
    catalog_loaded(&house::CATALOG);
    world.dispatcher.gateways.iter().for_each(gateway_configured);

    let mut random = fastrand::Rng::with_seed(5);
    throw(&world, &wave(&mut random, 240)).await;
    let before = series(&recorder);
    throw(&world, &wave(&mut random, 480)).await;
    let after = series(&recorder);
    assert!(before.len() > 100 && before.len() < 400, "{}: {before:#?}", before.len());
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.is_empty(), "{new:?}");
    let told = recorder.handle().render();
    assert!(!told.contains(MADE_UP) && !told.contains("taro"), "{told}");
    for outcome in ["accepted", "permanent", "throttled", "credentials", "unknown"] {
        assert!(told.contains(&format!("outcome=\"{outcome}\"")), "the gateway never answered so: {told}");
    }
}
