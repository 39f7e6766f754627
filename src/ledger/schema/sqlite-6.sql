-- Version 6: what protects recipients. Of a customer there are HMACs alone.
ALTER TABLE event ADD COLUMN summary TEXT;   -- the summary that it is part of

-- Windows of `collapse`, last devices, SMS of a day.
CREATE TABLE memory (
  key    TEXT PRIMARY KEY,
  since  INTEGER NOT NULL,  -- of a window: when it began
  due    INTEGER NOT NULL,  -- of a window: when it ends
  told   INTEGER NOT NULL,
  over   INTEGER NOT NULL,  -- held back
  latest INTEGER NOT NULL,  -- of a device: when its login happened, by the event's own word
  device TEXT,              -- HMAC of it
  until  INTEGER NOT NULL   -- forgotten after this
) STRICT, WITHOUT ROWID;
CREATE INDEX memory_until ON memory (until);  -- for the sweep

CREATE TABLE summary (
  id         TEXT PRIMARY KEY,  -- window and its beginning
  window_key TEXT NOT NULL,
  type       TEXT NOT NULL,
  lane       TEXT NOT NULL,
  event_key  TEXT NOT NULL,     -- the newest event that was held back
  event_id   TEXT NOT NULL,
  event_time INTEGER NOT NULL,  -- when it happened, by its own word
  over       INTEGER NOT NULL,  -- held back, that one included
  due        INTEGER NOT NULL,
  sealed     BLOB,              -- that event, encrypted, until it is in its lane
  looked_at  INTEGER NOT NULL,
  brought_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX summary_due ON summary (due) WHERE brought_at IS NULL;
CREATE INDEX summary_old ON summary (due);            -- for the sweep
CREATE INDEX summary_event ON summary (event_key);    -- for whoever asks about it
