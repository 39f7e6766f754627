-- Version 3: gateways that somebody has drained. Times by the clock of whoever wrote the row.
CREATE TABLE shirase_drain (
  gateway    TEXT PRIMARY KEY,
  since      BIGINT NOT NULL,
  until      BIGINT NOT NULL,  -- ignored from then on
  reason     TEXT NOT NULL,
  drained_by TEXT NOT NULL
);
