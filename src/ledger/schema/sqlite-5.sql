-- Version 5: only what receipts may name by its reference is found by it.
ALTER TABLE notification ADD COLUMN by_reference INTEGER NOT NULL DEFAULT 1;
DROP INDEX notification_reference;
CREATE INDEX notification_reference ON notification (reference) WHERE by_reference;
