-- Invitations, each with a code with which one account can be created. A row is kept until it expires, also when it was
-- used or its inviter's quota would be restored early.
CREATE TABLE IF NOT EXISTS invitations (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    -- SHA-256 of the code. The code is random and long, so a fast hash suffices.
    code_hash BINARY(32) NOT NULL,
    -- The account that invites; NULL for the operator. Without a foreign key, as rows of users are never deleted.
    inviter_id BIGINT UNSIGNED NULL,
    created_at DATETIME(3) NOT NULL,
    expires_at DATETIME(3) NOT NULL,
    -- The time of the sign-up; NULL for an open invitation.
    used_at DATETIME(3) NULL,
    PRIMARY KEY (id),
    -- For sign-ups.
    UNIQUE KEY invitations_code (code_hash),
    -- For the invitations of an account, in the order of their expiry.
    KEY invitations_inviter (inviter_id, expires_at),
    -- For deleting expired invitations.
    KEY invitations_expires (expires_at)
) ENGINE = InnoDB;
