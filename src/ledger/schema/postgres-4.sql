-- Version 4: only what receipts may name by its reference is found by it.
ALTER TABLE shirase_notification ADD COLUMN by_reference BOOLEAN NOT NULL DEFAULT true;
DROP INDEX shirase_notification_reference;
CREATE INDEX shirase_notification_reference ON shirase_notification (reference) WHERE by_reference;
