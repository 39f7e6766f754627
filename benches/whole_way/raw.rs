//! The raw side: a lapin loop that consumes and acknowledges, nothing else.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};

use crate::usage::Usage;
use crate::{Round, Span};

/// As the worker's standard lane.
const PREFETCH: u16 = 256;

/// Runs the loop as a process of its own.
pub fn round(url: &str, queue: &str, events: usize) -> Round {
    let program = std::env::current_exe().expect("this program's path");
    let output = Command::new(program)
        .args(["raw", url, queue, &events.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .expect("the raw loop runs");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    let [seconds, cpu, peak_kib] = numbers[..] else { panic!("three numbers, not {text:?}") };
    let usage = Usage { cpu: Duration::from_secs_f64(cpu), peak_kib: peak_kib as u64 };
    Round::new(events, Duration::from_secs_f64(seconds), &usage)
}

/// The loop; prints seconds from the first delivery to the last, CPU seconds and peak kB.
pub fn consume(url: &str, queue: &str, count: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let span = runtime.block_on(async {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("connects");
        let channel = connection.create_channel().await.expect("a channel");
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.expect("prefetch");
        let consuming = channel.basic_consume(
            queue.into(),
            "raw".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let mut deliveries = consuming.await.expect("consumes");
        let mut span = Span::default();
        for _ in 0..count {
            let delivery = deliveries.next().await.expect("a delivery").expect("a whole one");
            delivery.ack(BasicAckOptions::default()).await.expect("acknowledges");
            span.mark(Instant::now());
        }
        // In this order: closing the connection at once would overtake the last acknowledgements.
        channel.close(200, "done".into()).await.expect("closes");
        connection.close(200, "done".into()).await.expect("closes");
        span
    });
    let usage = Usage::of(std::process::id());
    println!("{} {} {}", span.length().as_secs_f64(), usage.cpu.as_secs_f64(), usage.peak_kib);
}
