-- Whose tokens were revoked of late, so that every replica ends what those tokens still listen to. What decides about a
-- token is the epoch in `users`; this tells that it was raised, at a cost that does not depend on who listens.
CREATE TABLE IF NOT EXISTS revocations (
    user_id BIGINT UNSIGNED NOT NULL,
    -- The epoch from which on tokens are good.
    token_epoch INT UNSIGNED NOT NULL,
    -- By the database's clock.
    revoked_at DATETIME(3) NOT NULL,
    PRIMARY KEY (user_id),
    -- The latest, and forgetting the oldest.
    KEY revocations_revoked (revoked_at)
) ENGINE = InnoDB;
