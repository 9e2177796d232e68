-- One row per record. Keys are bytes of UTF-8, so that their order depends on no locale.
CREATE TABLE IF NOT EXISTS "atproto_oauth_records" (
    record_key bytea PRIMARY KEY,
    value bytea NOT NULL,
    -- 64 random bits
    version bigint NOT NULL,
    -- seconds since 1970
    expires_at bigint
);
CREATE INDEX IF NOT EXISTS "atproto_oauth_records_expiry"
    ON "atproto_oauth_records" (expires_at) WHERE expires_at IS NOT NULL;
