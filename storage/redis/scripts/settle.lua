#!lua
-- Last step of a write-through whose commit changed the row: sets the committed value, but only while the block is still
-- this write's own. In any other case it only drops an older copy: a miss is always right. Needs memory; where Redis is
-- full it fails as a whole, and unblock.lua takes its place.
--
-- KEYS  1 state  2 blocks  3 entry
-- ARGV  1 epoch  2 entry id  3 token  4 version  5 tag  6 value  7 TTL, ms
-- Answers {'set'} | {'dropped'} | {'epoch', current}
local wrong = check_epoch(KEYS[1], ARGV[1])
if wrong then return wrong end
local version = tonumber(ARGV[4])
local token, ends
local block = redis.call('HGET', KEYS[2], ARGV[2])
if block then token, ends = string.match(block, '^(%S+) (%d+)$') end
local own = token == ARGV[3]
local current = own and tonumber(ends) > time_us()
if own then redis.call('HDEL', KEYS[2], ARGV[2]) end
raise_clock(KEYS[1], version)

local text = redis.call('GET', KEYS[3])
local held = cached_copy(text, ARGV[1])
if current and (not held or held < version) then
  redis.call('SET', KEYS[3], 'V ' .. ARGV[1] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. ARGV[6], 'PX', ARGV[7])
  return { 'set' }
end
if text and (not held or held < version) then redis.call('DEL', KEYS[3]) end
return { 'dropped' }
