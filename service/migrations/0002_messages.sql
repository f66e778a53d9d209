-- What was sent: one row per message, whoever receives it. Deleting the row takes its receipts along.
CREATE TABLE IF NOT EXISTS messages (
    -- Grows with time, so descending ids are newest first and an id is a stable place to continue reading from.
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    sender_id BIGINT UNSIGNED NOT NULL,
    -- Kept byte for byte: the binary collation neither folds nor pads.
    subject VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
    -- At most 65,535 bytes.
    body TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
    created_at DATETIME(3) NOT NULL,
    -- A message is read by its id, 20 at a time from an inbox page.
    PRIMARY KEY (id),
    -- What a user has sent, newest first (InnoDB appends the primary key); also carries the foreign key.
    KEY messages_sender (sender_id),
    CONSTRAINT messages_sender_exists FOREIGN KEY (sender_id) REFERENCES users (id)
) ENGINE = InnoDB;
