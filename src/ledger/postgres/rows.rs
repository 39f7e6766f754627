//! Rows in and out of PostgreSQL, a batch at a time: one array a column.

use tokio_postgres::{Client, Error, Row, Statement};

use super::super::memory::{
    MemoryRow, SummaryRow, due_columns, memory_columns, summary_changes, summary_columns,
};
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

macro_rules! insert_events {
    () => {
        concat!(
            "INSERT INTO shirase_event (",
            event_columns!(),
            ")
             SELECT key, id, type, lane, fingerprint, 'open', NULL, time, 0, ",
            now!(),
            ", ",
            now!(),
            ", NULL
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int8[])
               AS new (key, id, type, lane, fingerprint, time)
             ON CONFLICT (key) DO NOTHING"
        )
    };
}

statements! {
    now: concat!("SELECT ", now!());
    insert_events: insert_events!();
    insert_events_told: concat!(insert_events!(), " RETURNING key");
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
             updated_at = new.updated_at, summary = coalesce(new.summary, event.summary)
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::int8[], $7::text[])
           AS new (key, fingerprint, state, reason, deaths, updated_at, summary)
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
    // An update that changes nothing locks what is there, also what somebody else makes or forgets at the same moment.
    lock_memory: concat!(
        "INSERT INTO shirase_memory (", memory_columns!(), ")
         SELECT key, 0, 0, 0, 0, 0, NULL, 0 FROM unnest($1::text[]) AS new (key) ORDER BY key
         ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING ", memory_columns!()
    );
    update_memory: "UPDATE shirase_memory AS memory
         SET since = new.since, due = new.due, told = new.told, over = new.over, latest = new.latest,
             device = new.device, until = new.until
         FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::text[], $8::int8[])
           AS new (key, since, due, told, over, latest, device, until)
         WHERE memory.key = new.key";
    upsert_summaries: concat!(
        "INSERT INTO shirase_summary (", summary_columns!(), ", looked_at)
         SELECT *, 0 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int8[],
           $8::int8[], $9::int8[], $10::bytea[])
         ON CONFLICT (id) DO UPDATE SET ", summary_changes!("shirase_summary")
    );
    lock_due: "SELECT key FROM shirase_memory WHERE key IN
           (SELECT window_key FROM shirase_summary
            WHERE brought_at IS NULL AND due <= $1 AND looked_at <= $2 ORDER BY due LIMIT $3)
         FOR UPDATE SKIP LOCKED";
    due_summaries: concat!(
        "UPDATE shirase_summary SET looked_at = $1
         WHERE brought_at IS NULL AND due <= $1 AND looked_at <= $2 AND window_key = ANY($3::text[])
         RETURNING ", due_columns!()
    );
    summary_brought: "UPDATE shirase_summary SET brought_at = $1, sealed = NULL WHERE id = $2 AND brought_at IS NULL";
    summary_of: "SELECT event_id, over, due, brought_at FROM shirase_summary WHERE id = $1 OR event_key = $2
         ORDER BY due DESC LIMIT 1";
    sweep_summaries: "DELETE FROM shirase_summary WHERE id IN
           (SELECT id FROM shirase_summary WHERE due < $1 ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED)";
    sweep_memory: "DELETE FROM shirase_memory WHERE key IN
           (SELECT key FROM shirase_memory AS memory WHERE until < $1 AND NOT EXISTS
              (SELECT FROM shirase_summary WHERE window_key = memory.key AND brought_at IS NULL)
            ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED)";
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
    summary: Option<&'a str>,
} update = update_events);

columns!(NotificationColumns {
    key: &'a str, target: &'a str, state: &'a str, owner: &'a str, epoch: i64, attempt: i64, busy_until: i64,
    first_claimed: i64, written: i64, unknowns: i64, unknown_since: Option<i64>, unknown_at: Option<&'a str>,
    reference: &'a str, recipient: &'a str, why: &'a str, template_version: &'a str, gateway: Option<&'a str>,
    provider_id: Option<&'a str>, reason: Option<&'a str>, attempts: &'a str, updated_at: i64,
    sealed: Option<&'a [u8]>, sealed_until: Option<i64>, receipt_id: Option<&'a str>, by_reference: bool,
} upsert = upsert_notifications);

columns!(MemoryColumns {
    key: &'a str, since: i64, due: i64, told: i64, over: i64, latest: i64, device: Option<&'a str>, until: i64,
} update = update_memory);

columns!(SummaryColumns {
    key: &'a str, window: &'a str, event_type: &'a str, lane: &'a str, event_key: &'a str, event_id: &'a str,
    event_time: i64, over: i64, due: i64, sealed: &'a [u8],
} upsert = upsert_summaries);

impl<'a> MemoryColumns<'a> {
    pub fn push(&mut self, row: &'a MemoryRow) {
        self.key.push(&row.key);
        self.since.push(row.since);
        self.due.push(row.due);
        self.told.push(row.told);
        self.over.push(row.over);
        self.latest.push(row.latest);
        self.device.push(row.device.as_deref());
        self.until.push(row.until);
    }
}

impl<'a> SummaryColumns<'a> {
    pub fn push(&mut self, row: &'a SummaryRow) {
        self.key.push(&row.key);
        self.window.push(&row.window);
        self.event_type.push(&row.event_type);
        self.lane.push(&row.lane);
        self.event_key.push(&row.event_key);
        self.event_id.push(&row.event_id);
        self.event_time.push(row.event_time);
        self.over.push(row.over);
        self.due.push(row.due);
        self.sealed.push(&row.sealed);
    }
}

impl<'a> NewEvents<'a> {
    /// As [`Self::insert`]; gives the keys of those that were made.
    pub async fn insert_told(&self, client: &Client, statements: &Statements) -> Result<Vec<Row>, Error> {
        let Self { key, id, event_type, lane, fingerprint, time } = self;
        client.query(&statements.insert_events_told, &[key, id, event_type, lane, fingerprint, time]).await
    }

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
        self.summary.push(row.summary.as_deref());
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
