#!lua
-- Last step of writes through whose commits changed their rows: each sets the committed value, but only while the block is
-- still this write's own. In any other case it only drops an older copy: a miss is always right. Needs memory; where Redis
-- is full it fails as a whole, and unblock.lua takes its place. An older write cannot commit any more, so its part of the
-- block ends as well.
--
-- KEYS  1 state  2 blocks  3… the entry of each write
-- ARGV  1 epoch  then for each write: token, version, tag, value, TTL, ms
-- Answers {'epoch', current} | {'ok', one for each write}: 'set' | 'dropped'
-- @use blocking
local epoch = ARGV[1]
local wrong = check_epoch(KEYS[1], epoch)
if wrong then return wrong end
local now = time_us()
local highest = 0

local function settle(key, token, version, tag, value, ttl)
  local id = entry_id(KEYS[1], key)
  local block = redis.call('HGET', KEYS[2], id)
  local own = false
  if block and string.find(block, token, 1, true) then
    local writes, later = blocking(block, now), {}
    for _, write in ipairs(writes) do
      if write[1] == token then
        own = #later == 0 and write[2] > now
        break
      end
      later[#later + 1] = write
    end
    set_block(KEYS[2], id, later)
  end
  local text = redis.call('GET', key)
  local held = cached_copy(text, epoch)
  local newer = not held or held < tonumber(version)
  if own and newer then
    redis.call('SET', key, 'V ' .. epoch .. ' ' .. version .. ' ' .. tag .. ' ' .. value, 'PX', ttl)
    return 'set'
  end
  if text and newer then redis.call('DEL', key) end
  return 'dropped'
end

local answer = { 'ok' }
for k = 3, #KEYS do
  local a = 2 + (k - 3) * 5
  highest = math.max(highest, tonumber(ARGV[a + 1]))
  answer[k - 1] = settle(KEYS[k], ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4])
end
raise_clock(KEYS[1], highest)
return answer
