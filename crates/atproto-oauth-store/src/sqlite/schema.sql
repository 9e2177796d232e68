CREATE TABLE IF NOT EXISTS atproto_oauth_records (
    key TEXT NOT NULL PRIMARY KEY, -- such as session/did:plc:abc/xyz or state/xyz
    value BLOB NOT NULL,           -- a token or key in it can be used by whoever reads it
    version INTEGER NOT NULL,      -- 64 random bits, new with each write
    expires_at INTEGER             -- seconds since 1970; NULL for never
) STRICT;
CREATE INDEX IF NOT EXISTS atproto_oauth_records_expires_at
    ON atproto_oauth_records (expires_at) WHERE expires_at IS NOT NULL;
