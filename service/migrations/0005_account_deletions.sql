-- Deleted accounts whose sent messages are still to be deleted. Their rows in `users` stay as tombstones, because ids
-- are never reused and others may have messages that were sent to them.
CREATE TABLE IF NOT EXISTS account_deletions (
    user_id BIGINT UNSIGNED NOT NULL,
    deleted_at DATETIME(3) NOT NULL,
    -- The cleanup goes through the accounts in order of their ids.
    PRIMARY KEY (user_id)
) ENGINE = InnoDB;
