//! A queue that somebody deleted comes back by itself.

use crate::events::{login, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::{House, PATIENCE};
use crate::support::{RabbitMq, eventually};

#[test]
fn a_deleted_lane_is_declared_anew_and_consumed() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("deleted-lane").gateways(&[gateway.url()]);
    let worker = house.start();
    for (n, lane) in ["critical", "standard"].into_iter().enumerate() {
        let queue = house.queue(lane);
        RabbitMq::shared().delete_queue(&queue);
        eventually(PATIENCE, "a new queue with a consumer", || {
            house.amqp.look(&queue).filter(|look| look.consumers == 1)
        });
        house.publish(&if lane == "critical" { withdrawal(n) } else { login(n) });
        house.wait_ended(n + 1);
    }
    assert_eq!(gateway.accepted().len(), 2);
    worker.wait_ready(house.http, PATIENCE);
    house.stop_and_assert_empty(&worker);
}

#[test]
fn a_deleted_delay_or_dead_letter_queue_is_declared_anew_when_it_is_needed() {
    let gateway =
        Gateway::scripted(|_, before| if before == 0 { Answer::Status(500) } else { Answer::Accept });
    let house = House::new("deleted-others").gateways(&[gateway.url()]);
    let worker = house.start();
    for queue in ["critical.retry.1", "dead"] {
        RabbitMq::shared().delete_queue(&house.queue(queue));
    }
    house.publish_all(&[withdrawal(1), withdrawal(2), withdrawal(3)]);
    house.amqp.publish("", &house.queue("standard"), b"bad");
    house.wait_metric("shirase_events_total", &[("result", "done")], 3.0);
    eventually(PATIENCE, "a new dead-letter queue", || house.amqp.look(&house.queue("dead")));
    assert_eq!(house.dead_letters(1)[0].body, b"bad");
    assert_eq!((gateway.asked().len(), gateway.accepted().len()), (6, 3));
    house.stop_and_assert_empty(&worker);
}
