-- Messages that were marked as read or unread, or deleted: one row for each user whose messages one transaction
-- changed. The tailers of the replicas follow the ids, and tell the users' event streams.
CREATE TABLE IF NOT EXISTS message_changes (
    -- Assigned before the commit, so an id can become visible after a higher one.
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    -- 0 in rows that only fill up a statement. Without a foreign key, which would lock the user's row; rows of users
    -- are never deleted.
    user_id BIGINT UNSIGNED NOT NULL,
    -- `read`, `unread` or `deleted`.
    kind VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- Up to 100 ids with commas between them. Without a foreign key, because deleted messages have rows, too.
    message_ids VARCHAR(2000) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- By the clock of the database. Rows are deleted after a day, all but the newest of those, which tells how far the
    -- table has been deleted. They are found by their ids, which grow with time, so no index is needed.
    created_at DATETIME(3) NOT NULL,
    -- Following the changes of all users.
    PRIMARY KEY (id),
    -- The changes that a client has missed.
    KEY message_changes_user (user_id, id)
) ENGINE = InnoDB;
