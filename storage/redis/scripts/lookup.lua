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
-- @use missing
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

local keys =
  { state = KEYS[1], open = KEYS[2], closed = KEYS[3], sent = KEYS[4], index = KEYS[5], blocks = KEYS[6] }
local ask = { epoch = ARGV[1], token = ARGV[3], lease_ms = ARGV[4], write_through = ARGV[5] }
return missing(keys, KEYS[7], id, ask, text, head, {})
