#!lua flags=allow-oom
-- Reads of one partition: of each entry the cached copy, or what is needed to repair the miss. Runs when Redis is full too:
-- hits must be served.
--
-- KEYS  1 state  2 open  3 closed  4 sent  5 index  6 blocks  7… the entry of each read
-- ARGV  1 epoch  2 life of a lease, ms  then for each read: token for a lease (one that is held already is answered again);
--       flags: 'w' for a write-through entry, 'd' to learn of a hit whether its write is in Temporal yet
-- Answers {'epoch', current} | {'ok', one for each read}:
--       copy | {'hit', copy, batch id}: its write is staged in this batch, which is not confirmed yet |
--       {'miss', lease, batch id, slot, run id, mutation, newest_from}: lease is the token where it was granted, 'held' where another
--       reader has it, '' where nobody may fill; batch id is '' where nothing is pending; the mutation is given where Redis still has it, slot and run id where Temporal has it;
--       newest_from as the state has it, where something is pending
-- @use missing
local epoch = ARGV[1]
local wrong = check_epoch(KEYS[1], epoch)
if wrong then return wrong end
local keys =
  { state = KEYS[1], open = KEYS[2], closed = KEYS[3], sent = KEYS[4], index = KEYS[5], blocks = KEYS[6] }
local copy_head = 'V ' .. epoch .. ' '
local unpacked = {}

local function durable_hit(id, text)
  local batch = redis.call('HGET', keys.index, id)
  local sent = batch and redis.call('HGET', keys.sent, batch)
  if not batch or sent and string.find(sent, ' confirmed ', 1, true) then return text end
  return { 'hit', text, batch }
end

local answer = { 'ok' }
local texts = redis.call('MGET', unpack(KEYS, 7))
for i, text in ipairs(texts) do
  local key, flags = KEYS[6 + i], ARGV[2 * i + 2]
  if text and string.sub(text, 1, #copy_head) == copy_head then
    answer[i + 1] = string.find(flags, 'd', 1, true) and durable_hit(entry_id(KEYS[1], key), text) or text
  else
    local ask = { epoch = epoch, token = ARGV[2 * i + 1], lease_ms = ARGV[2], write_through = string.find(flags, 'w', 1, true) }
    answer[i + 1] = missing(keys, key, entry_id(KEYS[1], key), ask, unpacked)
  end
end
return answer
