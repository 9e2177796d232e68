-- KEYS: record, index of keys, index of expiries.
-- ARGV: expected version, `absent` or `any`; new version; value; expiry in seconds or nothing; key.
local present = redis.call('HGET', KEYS[1], 'version')
if ARGV[1] == 'absent' then
    if present then return 0 end
elseif ARGV[1] ~= 'any' then
    if present ~= ARGV[1] then return 0 end
end
redis.call('ZADD', KEYS[2], 0, ARGV[5])
if ARGV[4] == '' then
    redis.call('ZREM', KEYS[3], ARGV[5])
else
    redis.call('ZADD', KEYS[3], ARGV[4], ARGV[5])
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'value', ARGV[3], 'expires_at', ARGV[4])
return 1
