#!lua
-- Puts what reads of one partition found into the cache, each if its lease is still valid: every write of the entry voids it,
-- so a slow reader can never put an old value back. A lease is void in another epoch. Where a write-through is in doubt, what was
-- read may be replaced without anybody saying so: it is cached for a moment only.
--
-- KEYS  1 state  2 blocks  3… the entry of each fill
-- ARGV  1 epoch  then for each fill: lease token, version, tag, value, TTL, ms
-- Answers {'epoch', current} | {'ok', one for each fill}: 'filled' | 'void'
local epoch = ARGV[1]
local wrong = check_epoch(KEYS[1], epoch)
if wrong then return wrong end
local blocks = redis.call('EXISTS', KEYS[2]) == 1
local LONGEST_IN_DOUBT_MS = 5000
local answer = { 'ok' }
for k = 3, #KEYS do
  local a = 2 + (k - 3) * 5
  local valid = redis.call('GET', KEYS[k]) == 'L ' .. epoch .. ' ' .. ARGV[a]
  local ttl = ARGV[a + 4]
  local block = valid and blocks and redis.call('HGET', KEYS[2], entry_id(KEYS[1], KEYS[k]))
  if block then
    valid = tonumber(string.match(block, ' (%d+)$')) <= time_us()
    ttl = math.min(tonumber(ttl), LONGEST_IN_DOUBT_MS)
  end
  if valid then
    redis.call('SET', KEYS[k], 'V ' .. epoch .. ' ' .. ARGV[a + 1] .. ' ' .. ARGV[a + 2] .. ' ' .. ARGV[a + 3], 'PX', ttl)
  end
  answer[k - 1] = valid and 'filled' or 'void'
end
return answer
