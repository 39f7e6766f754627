-- Version 1. Times are milliseconds since 1970.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  key         TEXT PRIMARY KEY,  -- source, U+001F, id
  id          TEXT NOT NULL,
  type        TEXT NOT NULL,
  lane        TEXT NOT NULL,
  fingerprint TEXT NOT NULL,     -- HMAC of the body
  state       TEXT NOT NULL,     -- open, done, muted, dead
  reason      TEXT,
  first_seen  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX event_id ON event (id);
CREATE INDEX event_first_seen ON event (first_seen);  -- for the sweep; only ever appended to

CREATE TABLE notification (
  event_key        TEXT NOT NULL,
  target           TEXT NOT NULL,     -- current.sms, current.email, previous.sms, previous.email
  state            TEXT NOT NULL,     -- in_flight, accepted, retry, unknown, failed
  owner            TEXT NOT NULL,
  epoch            INTEGER NOT NULL,  -- fences settlements
  attempt          INTEGER NOT NULL,
  lease_until      INTEGER NOT NULL,  -- not to be claimed before: the lease's end, or half of a retry's delay
  recipient        TEXT NOT NULL,     -- HMAC of the address
  template_version TEXT NOT NULL,
  gateway          TEXT,
  provider_id      TEXT,
  reason           TEXT,
  updated_at       INTEGER NOT NULL,
  PRIMARY KEY (event_key, target)
) STRICT, WITHOUT ROWID;
