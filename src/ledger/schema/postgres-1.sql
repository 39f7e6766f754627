-- Version 1. Times are milliseconds since 1970 by the database's clock, but for event.time.
CREATE TABLE shirase_event (
  key         TEXT PRIMARY KEY,  -- source, U+001F, id
  id          TEXT NOT NULL,
  type        TEXT NOT NULL,
  lane        TEXT NOT NULL,
  fingerprint TEXT NOT NULL,     -- HMAC of the body
  state       TEXT NOT NULL,     -- open, done, muted, dead
  reason      TEXT,
  time        BIGINT NOT NULL,   -- when it happened, by its own word
  deaths      BIGINT NOT NULL,   -- how often it was given up
  first_seen  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL
);
CREATE INDEX shirase_event_id ON shirase_event (id);
CREATE INDEX shirase_event_first_seen ON shirase_event (first_seen);                  -- for the sweep
CREATE INDEX shirase_event_open ON shirase_event (lane, time) WHERE state = 'open';   -- the oldest, at a glance

CREATE TABLE shirase_notification (
  event_key        TEXT NOT NULL,
  target           TEXT NOT NULL,     -- current.sms, current.email, previous.sms, previous.email
  state            TEXT NOT NULL,     -- in_flight, accepted, retry, unknown, failed, delivered, undelivered
  owner            TEXT NOT NULL,     -- process and claim
  epoch            BIGINT NOT NULL,   -- fences settlements
  attempt          BIGINT NOT NULL,
  busy_until       BIGINT NOT NULL,   -- not to be claimed before
  first_claimed    BIGINT NOT NULL,
  written          BIGINT NOT NULL,   -- attempts of the present claim in `attempts`
  unknowns         BIGINT NOT NULL,   -- attempts whose answer never came
  unknown_since    BIGINT,
  unknown_at       TEXT,              -- through which gateway the last of them went
  reference        TEXT NOT NULL,     -- the idempotency key that gateways are given
  recipient        TEXT NOT NULL,     -- HMAC of the address
  why              TEXT NOT NULL,
  template_version TEXT NOT NULL,
  gateway          TEXT,
  provider_id      TEXT,
  reason           TEXT,
  attempts         TEXT NOT NULL,     -- one JSON object a line
  updated_at       BIGINT NOT NULL,
  PRIMARY KEY (event_key, target)
);
CREATE INDEX shirase_notification_reference ON shirase_notification (reference);
