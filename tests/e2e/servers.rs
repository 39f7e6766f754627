//! The servers of the fault tests do what those tests take for granted.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::MutexGuard;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use tokio::time::timeout;
use tokio_postgres::NoTls;

use crate::amqp::Amqp;
use crate::house::{PATIENCE, block_on};
use crate::support::{Postgres, RabbitCluster, RabbitMq, eventually};

/// A cluster with a quorum queue, and somebody at each node.
fn cluster_with(queue: &str) -> (MutexGuard<'static, RabbitCluster>, Vec<Amqp>) {
    let cluster = RabbitCluster::in_turn();
    let amqp: Vec<_> = cluster.urls().iter().map(|url| Amqp::new(url)).collect();
    amqp[0].declare_quorum(queue);
    cluster.wait_in_sync();
    (cluster, amqp)
}

#[test]
fn a_cluster_keeps_its_messages_while_its_nodes_are_killed_one_after_the_other() {
    let (cluster, amqp) = cluster_with("kept");
    let first = cluster.leader_of("kept");
    amqp[first].publish("", "kept", b"before");
    cluster.node(first).kill();
    let second = cluster.leader_of("kept");
    assert_ne!(second, first, "a node that was killed leads");
    amqp[second].publish("", "kept", b"between");

    cluster.node(second).kill();
    let third = 3 - first - second;
    let lost = block_on(amqp[third].try_publish("", "kept", b"unknown", BasicProperties::default()));
    assert!(lost.is_err(), "one node of three confirmed a message");

    cluster.start_again();
    cluster.wait_in_sync();
    let bodies: Vec<_> = amqp[first].take_all("kept").into_iter().map(|message| message.body).collect();
    assert!(bodies.starts_with(&[b"before".to_vec(), b"between".to_vec()]), "{bodies:?}");
}

#[test]
fn a_stopped_leader_is_replaced_and_rejoins() {
    let (cluster, amqp) = cluster_with("led");
    let stopped = cluster.leader_of("led");
    cluster.node(stopped).stop();
    let leader = cluster.leader_of("led");
    assert_ne!(leader, stopped, "a node that answers nothing leads");
    // A channel from before keeps to the stopped node and gets a nack for good: hence a new one for each try.
    eventually(PATIENCE, "a confirm by the others", || {
        let anew = Amqp::new(&cluster.node(leader).url());
        block_on(anew.try_publish("", "led", b"meanwhile", BasicProperties::default())).ok()
    });

    cluster.node(stopped).cont();
    cluster.wait_in_sync();
    let taken = amqp[stopped].take_all("led");
    assert!(taken.iter().any(|message| message.body == b"meanwhile"), "{taken:?}");
}

#[test]
fn a_delivery_that_is_not_acknowledged_in_time_costs_its_channel() {
    let acknowledge_within = Duration::from_secs(3);
    let broker = RabbitMq::start_with_ack_timeout(acknowledge_within);
    let amqp = Amqp::new(&broker.url());
    amqp.declare_quorum("held");
    amqp.publish("", "held", b"held");

    let (held, error) = block_on(async {
        let connection =
            Connection::connect(&broker.url(), ConnectionProperties::default()).await.expect("it runs");
        let channel = connection.create_channel().await.expect("a channel");
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let mut consumer =
            channel.basic_consume("held".into(), "".into(), options, none).await.expect("the queue");
        let delivery = timeout(PATIENCE, consumer.next()).await.expect("a delivery in time");
        delivery.expect("a delivery").expect("no error yet");
        let begin = Instant::now();
        let next = timeout(PATIENCE, consumer.next()).await.expect("the channel closes in time");
        (begin.elapsed(), next.and_then(Result::err).map(|error| error.to_string()).unwrap_or_default())
    });
    assert!(error.contains("PRECONDITION"), "closed for another reason: {error:?}");
    assert!(held >= acknowledge_within, "closed after {held:?} already");
    eventually(PATIENCE, "the delivery to be back", || (amqp.take_all("held").len() == 1).then_some(()));
}

#[test]
fn a_database_server_keeps_what_it_committed_through_a_kill_and_a_restart() {
    let postgres = Postgres::start();
    postgres.query("shirase", "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)");
    postgres.kill();
    postgres.try_query("shirase", "SELECT 1").expect_err("it was killed");
    postgres.start_again();
    postgres.query("shirase", "INSERT INTO kept VALUES (2)");
    postgres.restart();
    assert_eq!(postgres.query("shirase", "SELECT n FROM kept ORDER BY n"), "1\n2");
}

#[test]
fn a_stopped_database_server_answers_when_it_goes_on() {
    let postgres = Postgres::start();
    postgres.stop();
    thread::scope(|scope| {
        let asked = scope.spawn(|| postgres.query("shirase", "SELECT 1"));
        thread::sleep(Duration::from_secs(1));
        assert!(!asked.is_finished(), "it answered though stopped");
        postgres.cont();
        assert_eq!(asked.join().expect("an answer"), "1");
    });
}

#[test]
fn a_database_server_that_is_forgotten_while_stopped_leaves_no_process() {
    let postgres = Postgres::start();
    let port = postgres.port();
    let pids =
        postgres.query("postgres", "SELECT pid FROM pg_stat_activity WHERE backend_type <> 'client backend'");
    let running = || pids.lines().filter(|pid| runs(pid)).count();
    assert!(running() > 1, "background processes: {pids:?}");
    postgres.stop();
    drop(postgres);
    assert_eq!(running(), 0);
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect_err("nobody listens");
}

/// Whether there is such a process; one that waits for its parent to notice its end is none.
fn runs(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

#[test]
fn each_database_of_the_shared_server_is_its_tests_own() {
    let postgres = Postgres::shared();
    let urls = ["own-1", "own-2"].map(|name| postgres.create_database(name));
    for url in urls {
        block_on(async {
            let (client, connection) =
                tokio_postgres::connect(&url, NoTls).await.expect("the password is right");
            let connection = tokio::spawn(connection);
            client.batch_execute("CREATE TABLE own (n int)").await.expect("nobody else made it");
            drop(client);
            connection.await.expect("no panic").expect("a clean end");
        });
        let wrong = url.replace(postgres.password(), "guessed");
        assert!(block_on(tokio_postgres::connect(&wrong, NoTls)).is_err(), "any password will do");
    }
}

#[test]
fn a_database_server_with_a_certificate_takes_nobody_without_tls() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let postgres = Postgres::start_tls(&made.cert.pem(), &made.signing_key.serialize_pem());
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(postgres.query("shirase", encrypted), "t");
    let Err(error) = block_on(tokio_postgres::connect(&postgres.url(), NoTls)) else {
        panic!("it took a connection in the clear");
    };
    let reason = error.as_db_error().map(|error| error.message().to_owned()).unwrap_or_default();
    assert!(reason.contains("no encryption"), "refused for another reason: {error}");
}
