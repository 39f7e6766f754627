-- Version 4: gateways that somebody has drained. Times by the clock of whoever wrote the row.
CREATE TABLE drain (
  gateway    TEXT PRIMARY KEY,
  since      INTEGER NOT NULL,
  until      INTEGER NOT NULL,  -- ignored from then on
  reason     TEXT NOT NULL,
  drained_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
