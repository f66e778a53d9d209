-- The accounts whose owners want a mail when messages lie unread for a while. Not in `users`, so that previous versions
-- and their statements are not affected.
CREATE TABLE IF NOT EXISTS unread_notices (
    -- Without a foreign key, as rows of users are never deleted.
    user_id BIGINT UNSIGNED NOT NULL,
    -- The time for which a message must have been unread.
    after_minutes SMALLINT UNSIGNED NOT NULL,
    -- Only messages after this one cause a mail: the newest one that was unread when the owner turned the notices on,
    -- or when the last mail was added.
    told_until BIGINT UNSIGNED NOT NULL,
    -- The number of messages up to that one, at most 1,000, that were unread when the mail was added: there is no
    -- further mail while so many of them are. 0 before the first mail, and once the owner has signed in.
    told_unread SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    -- The next look at the inbox, by the clock of the database.
    due_at DATETIME(3) NOT NULL,
    PRIMARY KEY (user_id),
    -- For the next looks.
    KEY unread_notices_due (due_at)
) ENGINE = InnoDB;
