-- Accounts. Each request reads a row by its primary key, to check that the token's user exists and has the token's
-- epoch.
CREATE TABLE IF NOT EXISTS users (
    -- Never changes and is never reused. Tokens contain it, so the tokens of a name's previous owner are not valid for
    -- the next one.
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    -- Only lower-case a-z 0-9 . _ -, so comparing bytes is enough; `~` and the id in the tombstone of a deleted
    -- account.
    username VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- As the user typed it.
    email VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
    -- The same for all spellings of one mailbox. In some scripts it is longer than `email`.
    normalized_email VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
    -- PHC string (argon2id): parameters, salt and hash.
    password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- A token is valid only in the epoch in which it was issued: raising the epoch revokes all tokens at once.
    token_epoch INT UNSIGNED NOT NULL DEFAULT 0,
    created_at DATETIME(3) NOT NULL,
    PRIMARY KEY (id),
    -- Logging in, finding the receiver of a message, and one account per name, also among concurrent requests.
    UNIQUE KEY users_username (username),
    -- One account per mailbox.
    UNIQUE KEY users_email (normalized_email)
) ENGINE = InnoDB;
