-- Sends that carried an Idempotency-Key, so that a repeated one is answered and not sent again. A row is written in the
-- transaction of its message, and kept for a day at least.
CREATE TABLE IF NOT EXISTS idempotency_keys (
    -- Without a foreign key, which would lock the user's row at each send: users are never deleted from their table.
    user_id BIGINT UNSIGNED NOT NULL,
    -- As the client wrote it: 1 to 255 visible ASCII characters.
    idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- SHA-256 of what was sent: a key is for one message.
    fingerprint BINARY(32) NOT NULL,
    -- The message. It may be gone by now; the answer to a repeated send is the same nevertheless.
    message_id BIGINT UNSIGNED NOT NULL,
    -- The message's.
    created_at DATETIME(3) NOT NULL,
    -- One message for a key, however many sends arrive at once: the later ones wait for the first.
    PRIMARY KEY (user_id, idempotency_key),
    -- Forgetting the oldest.
    KEY idempotency_keys_created (created_at)
) ENGINE = InnoDB;
