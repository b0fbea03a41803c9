#!lua
-- Puts what a read found into the cache, if the lease is still valid: every write of the entry voids it, so a slow reader
-- can never put an old value back. A lease is void in another epoch.
--
-- KEYS  1 state  2 blocks  3 entry
-- ARGV  1 epoch  2 entry id  3 lease token  4 version  5 tag  6 value  7 TTL, ms
-- Answers {'ok'} | {'void'} | {'epoch', current}
local wrong = check_epoch(KEYS[1], ARGV[1])
if wrong then return wrong end
if redis.call('GET', KEYS[3]) ~= 'L ' .. ARGV[1] .. ' ' .. ARGV[3] then return { 'void' } end
local block = redis.call('HGET', KEYS[2], ARGV[2])
if block and tonumber(string.match(block, ' (%d+)$')) > time_us() then return { 'void' } end
redis.call('SET', KEYS[3], 'V ' .. ARGV[1] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. ARGV[6], 'PX', ARGV[7])
return { 'ok' }
