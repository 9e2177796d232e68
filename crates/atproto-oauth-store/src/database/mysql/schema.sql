-- One row per record. Keys are bytes of UTF-8, so that no collation takes two keys for one.
CREATE TABLE IF NOT EXISTS `atproto_oauth_records` (
    record_key VARBINARY(2048) NOT NULL PRIMARY KEY,
    value MEDIUMBLOB NOT NULL,
    -- 64 random bits
    version BIGINT NOT NULL,
    -- seconds since 1970
    expires_at BIGINT NULL,
    KEY expiry (expires_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
