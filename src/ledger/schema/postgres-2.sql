-- Version 2: receipts.
ALTER TABLE shirase_notification ADD COLUMN sealed BYTEA;         -- the event, encrypted, while it may have to be brought again
ALTER TABLE shirase_notification ADD COLUMN sealed_until BIGINT;
ALTER TABLE shirase_notification ADD COLUMN receipt_id TEXT;      -- gateway, U+001F, its id of the message
CREATE INDEX shirase_notification_receipt ON shirase_notification (receipt_id) WHERE receipt_id IS NOT NULL;
CREATE INDEX shirase_notification_sealed ON shirase_notification (sealed_until) WHERE sealed IS NOT NULL;  -- for the sweep
CREATE INDEX shirase_notification_stranded ON shirase_notification (updated_at)
  WHERE state = 'undelivered' AND sealed IS NOT NULL;
