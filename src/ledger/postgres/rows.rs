//! Rows in and out of PostgreSQL, a batch at a time: one array a column.

use tokio_postgres::{Client, Error, Row, Statement};

use super::super::operation::EventRecord;
use super::super::rows::{
    EventRow, NotificationRow, event_columns, event_row, notification_changes, notification_columns,
    notification_row,
};
use super::connect::Problem;

macro_rules! statements {
    ($($name:ident: $sql:expr;)+) => {
        /// Everything that is asked of a connection.
        pub(super) struct Statements { $(pub $name: Statement),+ }

        impl Statements {
            pub async fn prepare(client: &Client) -> Result<Self, Error> {
                Ok(Self { $($name: client.prepare($sql).await?),+ })
            }
        }
    };
}

macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

statements! {
    now: concat!("SELECT ", now!());
    insert_events: concat!(
        "INSERT INTO shirase_event (", event_columns!(), ")
         SELECT key, id, type, lane, fingerprint, 'open', NULL, time, 0, ", now!(), ", ", now!(), "
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int8[])
           AS new (key, id, type, lane, fingerprint, time)
         ON CONFLICT (key) DO NOTHING"
    );
    lock_events: concat!(
        "SELECT ", event_columns!(), " FROM shirase_event WHERE key = ANY($1::text[]) ORDER BY key FOR UPDATE"
    );
    drains: "SELECT gateway, since, until, reason, drained_by FROM shirase_drain ORDER BY gateway";
    events: concat!(
        "SELECT ", event_columns!(), " FROM shirase_event WHERE key = ANY($1::text[]) ORDER BY first_seen"
    );
    notifications: concat!(
        "SELECT ", notification_columns!(), " FROM shirase_notification WHERE event_key = ANY($1::text[])
         ORDER BY event_key, target"
    );
    update_events: "UPDATE shirase_event AS event
         SET fingerprint = new.fingerprint, state = new.state, reason = new.reason, deaths = new.deaths,
             updated_at = new.updated_at
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::int8[])
           AS new (key, fingerprint, state, reason, deaths, updated_at)
         WHERE event.key = new.key";
    upsert_notifications: concat!(
        "INSERT INTO shirase_notification (", notification_columns!(), ")
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::int8[], $7::int8[],
           $8::int8[], $9::int8[], $10::int8[], $11::int8[], $12::text[], $13::text[], $14::text[], $15::text[],
           $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::int8[], $22::bytea[], $23::int8[],
           $24::text[], $25::bool[])
         ON CONFLICT (event_key, target) DO UPDATE SET ", notification_changes!()
    );
    by_reference: "SELECT reference, event_key FROM shirase_notification WHERE reference = ANY($1::text[])
         AND by_reference";
    by_receipt_id: "SELECT receipt_id, event_key FROM shirase_notification WHERE receipt_id = ANY($1::text[])";
    by_id: "SELECT key FROM shirase_event WHERE id = $1 ORDER BY first_seen LIMIT $2";
    by_recipient: "SELECT key FROM shirase_event
         WHERE key IN (SELECT event_key FROM shirase_notification WHERE recipient = $1)
         ORDER BY first_seen DESC LIMIT $2";
    // Several workers sweep side by side: none waits for what another has locked.
    sweep: "WITH old AS (SELECT key FROM shirase_event WHERE first_seen < $1 ORDER BY first_seen LIMIT $2
           FOR UPDATE SKIP LOCKED),
         gone AS (DELETE FROM shirase_notification AS row USING old WHERE row.event_key = old.key)
         DELETE FROM shirase_event AS event USING old WHERE event.key = old.key";
    unseal: "UPDATE shirase_notification AS row SET sealed = NULL, sealed_until = NULL
         FROM (SELECT event_key, target FROM shirase_notification WHERE sealed IS NOT NULL AND sealed_until < $1
               ORDER BY sealed_until LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
         WHERE row.event_key = old.event_key AND row.target = old.target";
    // Touched, so that whoever looks next leaves them to whoever has them now.
    stranded: "UPDATE shirase_notification AS row SET updated_at = $1
         FROM (SELECT event_key, target FROM shirase_notification
               WHERE state = 'undelivered' AND sealed IS NOT NULL AND updated_at < $2 AND sealed_until >= $1
               ORDER BY updated_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS old, shirase_event AS event
         WHERE row.event_key = old.event_key AND row.target = old.target AND event.key = old.event_key
         RETURNING row.event_key, row.target, row.sealed, event.lane, event.deaths";
    oldest: "SELECT lane, min(time) FROM shirase_event WHERE state = 'open' GROUP BY lane";
}

pub(super) fn event(row: &Row) -> Result<EventRow, Problem> {
    Ok(event_row!(row, try_get, word))
}

/// With the key of its event.
pub(super) fn notification(row: &Row) -> Result<(String, NotificationRow), Problem> {
    Ok((row.try_get(0)?, notification_row!(row, try_get, word)))
}

fn word<T>(row: &Row, index: usize, parse: fn(&str) -> Option<T>) -> Result<T, Problem> {
    let text: String = row.try_get(index)?;
    parse(&text).ok_or(Problem::Word(text))
}

/// Columns of rows, and the call that hands them over.
macro_rules! columns {
    ($name:ident { $($column:ident: $type:ty),+ $(,)? } $call:ident = $statement:ident) => {
        #[derive(Default)]
        pub(super) struct $name<'a> { $($column: Vec<$type>),+ }

        impl $name<'_> {
            /// Nothing is asked when there is nothing.
            pub async fn $call(&self, client: &Client, statements: &Statements) -> Result<u64, Error> {
                if self.key.is_empty() {
                    return Ok(0);
                }
                client.execute(&statements.$statement, &[$(&self.$column),+]).await
            }
        }
    };
}

columns!(NewEvents {
    key: &'a str, id: &'a str, event_type: &'a str, lane: &'a str, fingerprint: &'a str, time: i64,
} insert = insert_events);

columns!(EventColumns {
    key: &'a str, fingerprint: &'a str, state: &'a str, reason: Option<&'a str>, deaths: i64, updated_at: i64,
} update = update_events);

columns!(NotificationColumns {
    key: &'a str, target: &'a str, state: &'a str, owner: &'a str, epoch: i64, attempt: i64, busy_until: i64,
    first_claimed: i64, written: i64, unknowns: i64, unknown_since: Option<i64>, unknown_at: Option<&'a str>,
    reference: &'a str, recipient: &'a str, why: &'a str, template_version: &'a str, gateway: Option<&'a str>,
    provider_id: Option<&'a str>, reason: Option<&'a str>, attempts: &'a str, updated_at: i64,
    sealed: Option<&'a [u8]>, sealed_until: Option<i64>, receipt_id: Option<&'a str>, by_reference: bool,
} upsert = upsert_notifications);

impl<'a> NewEvents<'a> {
    /// Each once, in the order of their keys.
    pub fn of(records: impl Iterator<Item = &'a EventRecord>) -> Self {
        let records: std::collections::BTreeMap<&str, &EventRecord> =
            records.map(|record| (record.key.as_str(), record)).collect();
        let mut new = Self::default();
        for (key, record) in records {
            new.key.push(key);
            new.id.push(&record.id);
            new.event_type.push(&record.event_type);
            new.lane.push(record.lane);
            new.fingerprint.push(&record.fingerprint);
            new.time.push(record.time.as_millisecond());
        }
        new
    }
}

impl<'a> EventColumns<'a> {
    pub fn push(&mut self, row: &'a EventRow) {
        self.key.push(&row.key);
        self.fingerprint.push(&row.fingerprint);
        self.state.push(row.state.as_str());
        self.reason.push(row.reason.as_deref());
        self.deaths.push(row.deaths);
        self.updated_at.push(row.updated_at);
    }
}

impl<'a> NotificationColumns<'a> {
    pub fn push(&mut self, key: &'a str, row: &'a NotificationRow) {
        self.key.push(key);
        self.target.push(&row.target);
        self.state.push(row.state.as_str());
        self.owner.push(&row.owner);
        self.epoch.push(row.epoch);
        self.attempt.push(row.attempt);
        self.busy_until.push(row.busy_until);
        self.first_claimed.push(row.first_claimed);
        self.written.push(row.written);
        self.unknowns.push(row.unknowns);
        self.unknown_since.push(row.unknown_since);
        self.unknown_at.push(row.unknown_at.as_deref());
        self.reference.push(&row.reference);
        self.recipient.push(&row.recipient);
        self.why.push(&row.why);
        self.template_version.push(&row.template_version);
        self.gateway.push(row.gateway.as_deref());
        self.provider_id.push(row.provider_id.as_deref());
        self.reason.push(row.reason.as_deref());
        self.attempts.push(&row.attempts);
        self.updated_at.push(row.updated_at);
        self.sealed.push(row.sealed.as_deref());
        self.sealed_until.push(row.sealed_until);
        self.receipt_id.push(row.receipt_id.as_deref());
        self.by_reference.push(row.by_reference);
    }
}
