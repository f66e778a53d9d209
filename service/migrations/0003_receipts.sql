-- A message as one receiver has it. Narrow, because inboxes are read from it alone until the page is known.
CREATE TABLE IF NOT EXISTS receipts (
    receiver_id BIGINT UNSIGNED NOT NULL,
    -- Deleted by the receiver: out of the feed, yet the sender still sees whom the message went to.
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    message_id BIGINT UNSIGNED NOT NULL,
    is_read BOOLEAN NOT NULL DEFAULT FALSE,
    -- The inbox itself: the live receipts of one receiver lie side by side in order of age, so a page is a short
    -- backward scan. A deleted receipt moves out of that range, so it costs nothing to later readers.
    PRIMARY KEY (receiver_id, is_deleted, message_id),
    -- The receivers of one message (reading as sender, deleting for all), each at most once; carries the foreign key.
    UNIQUE KEY receipts_message (message_id, receiver_id),
    -- The inbox filtered by read or unread, again in order of age: a page costs the same if 1 in 1,000,000 is unread.
    KEY receipts_read (receiver_id, is_deleted, is_read, message_id),
    CONSTRAINT receipts_message_exists FOREIGN KEY (message_id) REFERENCES messages (id) ON DELETE CASCADE,
    CONSTRAINT receipts_receiver_exists FOREIGN KEY (receiver_id) REFERENCES users (id)
) ENGINE = InnoDB;
