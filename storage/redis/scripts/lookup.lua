#!lua flags=allow-oom
-- A read: the cached copy, or what is needed to repair the miss. Runs when Redis is full too: hits must be served.
--
-- KEYS  1 state  2 open  3 closed  4 sent  5 index  6 blocks  7 entry
-- ARGV  1 epoch  2 entry id  3 token for a lease (one that is held already is answered again)  4 life of the lease, ms
--       5 '1' for write-through entries  6 '1' to learn of a hit whether its write is in Temporal yet
-- Answers {'hit', copy} | {'hit', copy, batch id}: its write is staged in this batch, which is not confirmed yet |
--       {'epoch', current} |
--       {'miss', lease, batch id, slot, run id, mutation}: lease is the token where it was granted, 'held' where another
--       reader has it, '' where nobody may fill; batch id is '' where nothing is pending; the mutation is given where Redis still has it, slot and run id where Temporal has it
local wrong = check_epoch(KEYS[1], ARGV[1])
if wrong then return wrong end
local text = redis.call('GET', KEYS[7])
local head = text and string.sub(text, 1, #ARGV[1] + 3)
local id = ARGV[2]
if head == 'V ' .. ARGV[1] .. ' ' then
  local batch = ARGV[6] == '1' and redis.call('HGET', KEYS[5], id)
  local sent = batch and redis.call('HGET', KEYS[4], batch)
  if not batch or sent and string.find(sent, ' confirmed ', 1, true) then return { 'hit', text } end
  return { 'hit', text, batch }
end

local lease = ''
local block = redis.call('HGET', KEYS[6], id)
local now = (block or ARGV[5] == '1') and time_us() or 0
local blocked = block and tonumber(string.match(block, ' (%d+)$')) > now
if block and not blocked then redis.call('HDEL', KEYS[6], id) end
-- A commit may be in doubt whose block was lost with Redis' memory: wait one block length after a new epoch.
if ARGV[5] == '1' and tonumber(redis.call('HGET', KEYS[1], 'fills_from')) > now then blocked = true end
-- A held lease keeps others from filling; a copy or a lease of an older epoch may be replaced.
local own = 'L ' .. ARGV[1] .. ' ' .. ARGV[3]
if text == own then
  lease = ARGV[3]
elseif blocked then
  lease = ''
elseif head == 'L ' .. ARGV[1] .. ' ' then
  lease = 'held'
else
  local granted = redis.pcall('SET', KEYS[7], own, 'PX', ARGV[4])
  if granted and not granted.err then lease = ARGV[3] end
end

local batch = redis.call('HGET', KEYS[5], id)
if not batch then return { 'miss', lease, '', '', '', '' } end
local sent = redis.call('HGET', KEYS[4], batch)
if sent then
  local slot, run_id = string.match(sent, '^(%d+) confirmed (%S+)')
  if slot then return { 'miss', lease, batch, slot, run_id, '' } end
end
local closed = redis.call('HGET', KEYS[3], batch)
if closed then
  local content = cmsgpack.unpack(closed)
  for i = 1, #content, 2 do
    if content[i] == id then return { 'miss', lease, batch, '', '', content[i + 1] } end
  end
end
return { 'miss', lease, batch, '', '', redis.call('HGET', KEYS[2], id) or '' }
