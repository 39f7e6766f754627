-- Version 2: attempts, unknown outcomes, dead letters counted, receipts by reference.
ALTER TABLE event ADD COLUMN time INTEGER NOT NULL DEFAULT 0;         -- when it happened, by its own word
ALTER TABLE event ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;       -- how often it was given up
CREATE INDEX event_open ON event (lane, time) WHERE state = 'open';   -- the oldest, at a glance

ALTER TABLE notification RENAME COLUMN lease_until TO busy_until;     -- not to be claimed before
ALTER TABLE notification ADD COLUMN first_claimed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notification ADD COLUMN written INTEGER NOT NULL DEFAULT 0;   -- attempts of the present claim in `attempts`
ALTER TABLE notification ADD COLUMN unknowns INTEGER NOT NULL DEFAULT 0;  -- attempts whose answer never came
ALTER TABLE notification ADD COLUMN unknown_since INTEGER;
ALTER TABLE notification ADD COLUMN unknown_at TEXT;                      -- through which gateway the last of them went
ALTER TABLE notification ADD COLUMN reference TEXT NOT NULL DEFAULT '';   -- the idempotency key that gateways are given
ALTER TABLE notification ADD COLUMN why TEXT NOT NULL DEFAULT '';
ALTER TABLE notification ADD COLUMN attempts TEXT NOT NULL DEFAULT '';    -- one JSON object a line
CREATE INDEX notification_reference ON notification (reference);
