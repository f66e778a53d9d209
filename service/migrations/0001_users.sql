-- Accounts. A row is read on every request (is the token's user still there, in the same epoch?) by its primary key.
CREATE TABLE IF NOT EXISTS users (
    -- Immutable, never reused: tokens name it, so that a name that changes hands does not hand over old tokens.
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    -- Lower case a-z 0-9 . _ - only, so bytes compare as people read.
    username VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- As the user typed it.
    email VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
    -- `email` in lower case, which can be longer than its original in some scripts.
    email_key VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
    -- PHC string (argon2id): parameters, salt and hash.
    password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- A token is good only for the epoch that it was issued in: raising the epoch revokes all tokens at once.
    token_epoch INT UNSIGNED NOT NULL DEFAULT 0,
    created_at DATETIME(3) NOT NULL,
    PRIMARY KEY (id),
    -- Login, the receiver of a send, and one account per name however many ask for it at once.
    UNIQUE KEY users_username (username),
    -- One account per e-mail address, whatever its case.
    UNIQUE KEY users_email (email_key)
) ENGINE = InnoDB;
