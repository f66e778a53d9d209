-- Accounts that were deleted and whose sent messages are still being cleared away. Their row in `users` stays without
-- anything of theirs, because ids are never given again and others still have messages that went to it.
CREATE TABLE IF NOT EXISTS departures (
    user_id BIGINT UNSIGNED NOT NULL,
    departed_at DATETIME(3) NOT NULL,
    -- One after the other.
    PRIMARY KEY (user_id)
) ENGINE = InnoDB;
