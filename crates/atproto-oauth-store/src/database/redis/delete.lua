-- KEYS: record, index of keys, index of expiries.
-- ARGV: expected version, `absent` or `any`; key; nothing, or a time: only a record whose expiry is
-- before it is removed.
local present = redis.call('HGET', KEYS[1], 'version')
if present then
    if ARGV[1] ~= 'any' and present ~= ARGV[1] then return 0 end
    if ARGV[3] ~= '' then
        local expiry = redis.call('HGET', KEYS[1], 'expires_at')
        if not expiry or expiry == '' or tonumber(expiry) >= tonumber(ARGV[3]) then return 0 end
    end
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
return 1
