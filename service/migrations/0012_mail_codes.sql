-- Codes in mails that were sent. Each attempt to send a mail makes a code of its own, and all of them are valid until
-- one is used, so a mail that arrives twice is good in both copies.
CREATE TABLE IF NOT EXISTS mail_codes (
    -- SHA-256 of the code. The code is random and long, so a fast hash suffices.
    code_hash BINARY(32) NOT NULL,
    -- The account. Without a foreign key, as rows of users are never deleted.
    user_id BIGINT UNSIGNED NOT NULL,
    -- The kind of the mail, and thereby what the code is good for.
    kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- SHA-256 of the normalized address that it was sent to, which the code proves.
    mailbox_hash BINARY(32) NOT NULL,
    -- By the clock of the database.
    expires_at DATETIME(3) NOT NULL,
    PRIMARY KEY (code_hash),
    -- For voiding the codes of an account.
    KEY mail_codes_user (user_id, kind),
    -- For deleting expired codes.
    KEY mail_codes_expires (expires_at)
) ENGINE = InnoDB;
