-- Recent revocations of access tokens, from which every replica learns which streams to end. A token's validity depends
-- on the epoch in `users` alone; reading the changes from here costs the same however many streams there are.
CREATE TABLE IF NOT EXISTS revocations (
    user_id BIGINT UNSIGNED NOT NULL,
    -- The first epoch whose tokens are valid.
    token_epoch INT UNSIGNED NOT NULL,
    -- By the clock of the database.
    revoked_at DATETIME(3) NOT NULL,
    PRIMARY KEY (user_id),
    -- Reading the latest revocations, and deleting the oldest.
    KEY revocations_revoked (revoked_at)
) ENGINE = InnoDB;
