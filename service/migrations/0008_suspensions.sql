-- Accounts that the operator has suspended. Each request with a token looks for a row here, in the statement that reads
-- the token's user.
CREATE TABLE IF NOT EXISTS suspensions (
    user_id BIGINT UNSIGNED NOT NULL,
    suspended_at DATETIME(3) NOT NULL,
    PRIMARY KEY (user_id)
) ENGINE = InnoDB;
