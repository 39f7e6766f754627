-- Version 5: what protects recipients. Of a customer there are HMACs alone.
ALTER TABLE shirase_event ADD COLUMN summary TEXT;   -- the summary that it is part of

-- Windows of `collapse`, last devices, SMS of a day.
CREATE TABLE shirase_memory (
  key    TEXT PRIMARY KEY,
  since  BIGINT NOT NULL,  -- of a window: when it began
  due    BIGINT NOT NULL,  -- of a window: when it ends
  told   BIGINT NOT NULL,
  over   BIGINT NOT NULL,  -- held back
  latest BIGINT NOT NULL,  -- of a device: when its login happened, by the event's own word
  device TEXT,              -- HMAC of it
  until  BIGINT NOT NULL   -- forgotten after this
);
CREATE INDEX shirase_memory_until ON shirase_memory (until);  -- for the sweep

CREATE TABLE shirase_summary (
  id         TEXT PRIMARY KEY,  -- window and its beginning
  window_key TEXT NOT NULL,
  type       TEXT NOT NULL,
  lane       TEXT NOT NULL,
  event_key  TEXT NOT NULL,     -- the newest event that was held back
  event_id   TEXT NOT NULL,
  event_time BIGINT NOT NULL,  -- when it happened, by its own word
  over       BIGINT NOT NULL,  -- held back, that one included
  due        BIGINT NOT NULL,
  sealed     BYTEA,             -- that event, encrypted, until it is in its lane
  looked_at  BIGINT NOT NULL,
  brought_at BIGINT
);
CREATE INDEX shirase_summary_due ON shirase_summary (due) WHERE brought_at IS NULL;
CREATE INDEX shirase_summary_old ON shirase_summary (due);            -- for the sweep
CREATE INDEX shirase_summary_event ON shirase_summary (event_key);    -- for whoever asks about it
