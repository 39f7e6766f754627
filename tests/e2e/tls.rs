//! `amqps://` to a real broker with a private authority.

use serde_json::json;

use crate::events::{event, mobile};
use crate::house::{BINARY, House, PATIENCE, printed, run_in};
use crate::support::{Authority, RabbitMq, Scratch, Worker, eventually};

#[test]
fn events_come_over_amqps_with_a_private_authority_and_a_stranger_is_named_with_host_and_mend() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let (broker, port) = RabbitMq::start_tls(&certificate, &key);
    let scratch = Scratch::new("authority");
    let trusted = scratch.write("trusted.pem", &authority.pem());
    let stranger = scratch.write("stranger.pem", &Authority::new().pem());
    // The test's own questions go to the plain port.
    let (house, sandbox) = House::on(&broker, "amqps").sandbox();
    let config = |host: &str, ca: &str| {
        let plain = broker.url();
        let config = house.config();
        assert!(config.contains(&plain), "{config}");
        let url = format!("amqps://guest:guest@{host}:{port}/%2f");
        config.replace(&plain, &url).replacen("[broker]\n", &format!("[broker]\n{ca}\n"), 1)
    };
    let ca_file = |file: &std::path::Path| format!("ca_file = {:?}", file.display().to_string());

    let worker = Worker::start(BINARY, &config("localhost", &ca_file(&trusted)), &["run"], &[]);
    worker.wait_ready(house.http, PATIENCE);
    let recipient = json!({"user_id": "U1", "phone": mobile(1)});
    house.publish(&event(
        "security.password.changed",
        "amqps-1",
        json!({"recipient": recipient, "which": "login"}),
    ));
    house.wait_ended(1);
    assert_eq!(sandbox.sms().len(), 1);
    let encrypted = broker.ctl(&["list_connections", "--no-table-headers", "ssl", "client_properties"]);
    let ours = encrypted.lines().filter(|line| line.contains("shirase"));
    assert!(ours.clone().count() >= 3, "{encrypted}");
    assert!(ours.clone().all(|line| line.starts_with("true")), "{encrypted}");
    // Made on the spot, it ends in the year 4096: somewhere past 2100 is enough.
    house.wait_metric("shirase_certificate_not_after_seconds", &[("peer", "broker")], 4.1e9);
    house.stop_and_assert_empty(&worker);

    for (host, ca, words) in [
        ("localhost", String::new(), ["localhost", "ca_file"]),
        ("localhost", ca_file(&stranger), ["localhost", "ca_file"]),
        ("127.0.0.1", ca_file(&trusted), ["127.0.0.1", "name"]),
    ] {
        let file = scratch.write("shirase.toml", &config(host, &ca));
        let said = printed(&run_in(scratch.path(), &file, &["check", "--connect"]));
        let line = said.lines().find(|line| line.contains("broker.urls")).unwrap_or_else(|| panic!("{said}"));
        assert!(words.iter().all(|word| line.contains(word)), "{host} {ca}: {line}");
        assert!(!said.contains("guest:guest"), "{said}");
    }

    // The worker itself says so, and goes on trying.
    worker.configure(&config("localhost", ""));
    worker.start_again();
    eventually(PATIENCE, "the worker to say why", || worker.log().contains("ca_file").then_some(()));
    assert!(worker.try_exit().is_none(), "{}", worker.log());
    worker.kill();
}
