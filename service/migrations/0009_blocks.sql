-- Users who block others: a message by a blocked user arrives as deleted. Each insertion of a receipt looks for a row
-- here, in the same statement.
CREATE TABLE IF NOT EXISTS blocks (
    -- Without foreign keys, which would lock the rows of both users; rows of users are never deleted.
    blocker_id BIGINT UNSIGNED NOT NULL,
    blocked_id BIGINT UNSIGNED NOT NULL,
    created_at DATETIME(3) NOT NULL,
    -- For receipts, and for the blocks of an account.
    PRIMARY KEY (blocker_id, blocked_id),
    -- For deleting the blocks of a deleted account by others.
    KEY blocks_blocked (blocked_id)
) ENGINE = InnoDB;
