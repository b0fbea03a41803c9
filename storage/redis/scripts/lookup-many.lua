#!lua flags=allow-oom
-- A read of many entries of one partition: of each what lookup.lua answers, in one go.
--
-- KEYS  1 state  2 open  3 closed  4 sent  5 index  6 blocks  7… one entry key for each entry
-- ARGV  1 epoch  2 token for the leases  3 life of a lease, ms  4 '1' for write-through entries
--       5 '1' to learn of hits whether their writes are in Temporal yet  6… for each entry: id
-- Answers {'ok', {'hit', copy} | {'hit', copy, batch id} | {'miss', lease, batch id, slot, run id, mutation}, …} |
--       {'epoch', current}
-- @use missing
local epoch, durable = ARGV[1], ARGV[5] == '1'
local wrong = check_epoch(KEYS[1], epoch)
if wrong then return wrong end
local keys =
  { state = KEYS[1], open = KEYS[2], closed = KEYS[3], sent = KEYS[4], index = KEYS[5], blocks = KEYS[6] }
local ask = { epoch = epoch, token = ARGV[2], lease_ms = ARGV[3], write_through = ARGV[4] }
local copy_head = 'V ' .. epoch .. ' '
local unpacked = {}
local answer = { 'ok' }
for k = 7, #KEYS do
  local id = ARGV[k - 1]
  local text = redis.call('GET', KEYS[k])
  local head = text and string.sub(text, 1, #copy_head)
  if head == copy_head then
    local batch = durable and redis.call('HGET', KEYS[5], id)
    local sent = batch and redis.call('HGET', KEYS[4], batch)
    if not batch or sent and string.find(sent, ' confirmed ', 1, true) then
      answer[#answer + 1] = { 'hit', text }
    else
      answer[#answer + 1] = { 'hit', text, batch }
    end
  else
    answer[#answer + 1] = missing(keys, KEYS[k], id, ask, text, head, unpacked)
  end
end
return answer
