-- Mails that are to be sent, and those that were sent within the last hours, from which the limits of a mailbox follow.
-- Neither have a text: it is composed, and a code in it is made, when the mail is sent. A row is written in the
-- transaction that causes the mail.
CREATE TABLE IF NOT EXISTS mails (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    -- What the mail says, such as 'password-reset'.
    kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- The account that the mail is about; NULL if that is looked up by `requested_for` when the mail is sent. Without a
    -- foreign key, which would lock the user's row.
    user_id BIGINT UNSIGNED NULL,
    -- The username or the normalized address that a password reset was requested for, whether or not there is such an
    -- account; NULL for other mails, and once the mail is sent.
    requested_for VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NULL,
    -- The recipient; NULL if that is the address of the account at that time, and once the mail is sent.
    recipient VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NULL,
    -- SHA-256 of the recipient's normalized address, once it is known.
    mailbox_hash BINARY(32) NULL,
    -- Random; the Message-ID, which is the same in each attempt.
    message_id BINARY(16) NOT NULL,
    -- This and the other times are those of the database.
    created_at DATETIME(3) NOT NULL,
    -- The attempts that have begun. An attempt ends without effect if another one has begun.
    attempts INT UNSIGNED NOT NULL DEFAULT 0,
    -- The beginning of the next attempt. During an attempt: the time from which another replica may take over. NULL
    -- once the mail is sent.
    due_at DATETIME(3) NULL,
    sent_at DATETIME(3) NULL,
    PRIMARY KEY (id),
    -- For the next mail to send.
    KEY mails_due (due_at),
    -- For the limits of a mailbox.
    KEY mails_mailbox (mailbox_hash, kind),
    -- For the end of an account.
    KEY mails_user (user_id),
    -- For deleting the oldest.
    KEY mails_sent (sent_at)
) ENGINE = InnoDB;
