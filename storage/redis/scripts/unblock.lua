#!lua flags=allow-oom
-- Last step of a write-through without a value to set: its commit did not happen, or Redis is full. Ends its own part of the
-- block, since commits of others may still come, and drops an older copy.
--
-- KEYS  1 state  2 blocks  3 entry
-- ARGV  1 epoch  2 entry id  3 token  4 version
-- Answers {'dropped'} | {'epoch', current}
-- @use blocking
local wrong = check_epoch(KEYS[1], ARGV[1])
if wrong then return wrong end
local version = tonumber(ARGV[4])
local block = redis.call('HGET', KEYS[2], ARGV[2])
if block and string.find(block, ARGV[3], 1, true) then
  local left = {}
  for _, write in ipairs(blocking(block, time_us())) do
    if write[1] ~= ARGV[3] then left[#left + 1] = write end
  end
  set_block(KEYS[2], ARGV[2], left)
end
raise_clock(KEYS[1], version)
local text = redis.call('GET', KEYS[3])
local held = cached_copy(text, ARGV[1])
if text and (not held or held < version) then redis.call('DEL', KEYS[3]) end
return { 'dropped' }
