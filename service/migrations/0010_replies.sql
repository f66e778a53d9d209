-- Replies, one row for each user who sees that a message is one: its sender, and those of its receivers who could see
-- the message that it answers when it was sent. Other receivers have no row, because it would tell them that the other
-- message exists. A message that answers none has no row, so that its sending costs nothing more.
CREATE TABLE IF NOT EXISTS replies (
    message_id BIGINT UNSIGNED NOT NULL,
    -- Without a foreign key, which would lock the user's row; rows of users are never deleted.
    user_id BIGINT UNSIGNED NOT NULL,
    -- The message that it answers. Without a foreign key, because that message can be deleted while its replies stay.
    in_reply_to BIGINT UNSIGNED NOT NULL,
    -- The first message of the conversation as far as this user can see it: `in_reply_to`, or the root of that.
    root_id BIGINT UNSIGNED NOT NULL,
    -- Whether a message is a reply, for a user who reads it; carries the foreign key.
    PRIMARY KEY (message_id, user_id),
    -- A conversation in order of age, and the rows of a deleted account. Other users' replies are in other ranges, so
    -- that reading a conversation takes no longer for those that the user cannot see.
    KEY replies_conversation (user_id, root_id, message_id),
    CONSTRAINT replies_message_exists FOREIGN KEY (message_id) REFERENCES messages (id) ON DELETE CASCADE
) ENGINE = InnoDB;
