-- What is known of an account's e-mail address, for accounts of which anything is: whether it was verified, and the one
-- that is to replace it. Not in `users`, so that previous versions and their statements are not affected.
CREATE TABLE IF NOT EXISTS account_emails (
    -- Without a foreign key, as rows of users are never deleted.
    user_id BIGINT UNSIGNED NOT NULL,
    -- SHA-256 of the normalized address that the owner has proved to receive mails at. An address counts as verified
    -- while it has this hash, so a change by a previous version, which does not know this table, ends it.
    verified_hash BINARY(32) NULL,
    -- The new address, as it was typed, until a code in a mail to it is used.
    pending_email VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NULL,
    PRIMARY KEY (user_id)
) ENGINE = InnoDB;
