//! One lane's trouble is not another's.

use crate::events::{login, mobile, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::House;

const PREFETCH: usize = 16;

#[test]
fn a_standard_lane_that_hangs_does_not_hold_up_the_critical_one() {
    let hangs: Vec<String> = (1000..1040).map(mobile).collect();
    let numbers = hangs.clone();
    let gateway = Gateway::scripted(
        move |sms, _| if numbers.contains(&sms.to) { Answer::Hang } else { Answer::Accept },
    );
    let house = House::new("lanes").gateways(&[gateway.url()]).set("gateway", r#"timeout = "120s""#);
    let worker = house.start();
    house.publish_all(&(1000..1040).map(login).collect::<Vec<_>>());
    gateway.wait_asked(PREFETCH);
    house.publish_all(&(0..100).map(withdrawal).collect::<Vec<_>>());
    house.wait_metric("shirase_events_total", &[("result", "done")], 100.0);

    let hanging = gateway.asked().iter().filter(|sms| hangs.contains(&sms.to)).count();
    assert_eq!(hanging, PREFETCH, "as many at once as the lane's prefetch, and none of them answered");
    assert_eq!(house.metric("shirase_in_flight", &[("lane", "standard")]), PREFETCH as f64);
    assert_eq!(house.metric("shirase_in_flight", &[("lane", "critical")]), 0.0);

    gateway.release();
    house.wait_ended(140);
    assert_eq!((gateway.asked().len(), gateway.by_number().len()), (140, 140));
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}
