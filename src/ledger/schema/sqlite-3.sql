-- Version 3: receipts.
ALTER TABLE notification ADD COLUMN sealed BLOB;           -- the event, encrypted, while it may have to be brought again
ALTER TABLE notification ADD COLUMN sealed_until INTEGER;
ALTER TABLE notification ADD COLUMN receipt_id TEXT;       -- gateway, U+001F, its id of the message
CREATE INDEX notification_receipt ON notification (receipt_id) WHERE receipt_id IS NOT NULL;
CREATE INDEX notification_sealed ON notification (sealed_until) WHERE sealed IS NOT NULL;             -- for the sweep
CREATE INDEX notification_stranded ON notification (updated_at) WHERE state = 'undelivered' AND sealed IS NOT NULL;
