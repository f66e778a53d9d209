-- The accounts whose owners want a mail when messages stay unread for a while. Not in `users`, so that previous
-- versions and their statements are not affected.
CREATE TABLE IF NOT EXISTS unread_notices (
    -- Without a foreign key, as rows of users are never deleted.
    user_id BIGINT UNSIGNED NOT NULL,
    -- The time for which a message must have been unread.
    after_minutes SMALLINT UNSIGNED NOT NULL,
    -- The newest message when the owner turned the notices on, or when the last mail was added: only later ones cause a
    -- mail.
    told_until BIGINT UNSIGNED NOT NULL,
    -- A mail was added, and the owner has not returned since.
    is_told BOOLEAN NOT NULL DEFAULT FALSE,
    -- The newest row of `message_changes` of the owner when the mail was added: a later mark is a return.
    change_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
    -- The next look at the inbox, by the clock of the database.
    due_at DATETIME(3) NOT NULL,
    PRIMARY KEY (user_id),
    -- For the next looks.
    KEY unread_notices_due (due_at)
) ENGINE = InnoDB;
