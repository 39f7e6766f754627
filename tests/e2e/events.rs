//! Events as upstream makes them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shirase::clock::Clock;

pub fn now() -> Timestamp {
    Clock::system().now()
}

pub fn ago(duration: SignedDuration) -> String {
    now().saturating_sub(duration).expect("a time").to_string()
}

pub fn in_future(duration: SignedDuration) -> String {
    now().saturating_add(duration).expect("a time").to_string()
}

pub fn event(kind: &str, id: &str, data: Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/e2e", "type": kind, "time": now().to_string(),
        "datacontenttype": "application/json", "data": data
    })
}

/// A mobile number of its own for each `n`, as a gateway is given it.
pub fn mobile(n: usize) -> String {
    format!("0901{n:07}")
}

/// Critical lane; SMS to `mobile(n)`, which can't fall back.
pub fn withdrawal(n: usize) -> Value {
    withdrawal_to(n, json!({"user_id": format!("U{n}"), "phone": mobile(n)}))
}

pub fn withdrawal_to(n: usize, recipient: Value) -> Value {
    let data = json!({
        "recipient": recipient, "amount": n + 1, "bank": "さくら見本銀行", "account_number": "1234567"
    });
    event("security.withdrawal.requested", &format!("withdrawal-{n}"), data)
}

/// Standard lane; SMS to `mobile(n)`, which can't fall back.
pub fn login(n: usize) -> Value {
    let data =
        json!({"recipient": {"user_id": format!("U{n}"), "phone": mobile(n)}, "device": {"os": "iOS"}});
    event("security.login", &format!("login-{n}"), data)
}

/// A recipient with a mobile number and an address.
pub fn reachable(n: usize, email: &str) -> Value {
    json!({"user_id": format!("U{n}"), "name": "山田 太郎", "phone": mobile(n), "email": email})
}
