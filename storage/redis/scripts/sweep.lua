#!lua flags=allow-oom
-- What may be left of batches that are done: confirmed batches whose release may have been lost, and a page of the pending
-- index that names batches nobody has. Only confirmed ones are listed: the slot of a batch that was never started looks
-- closed too.
--
-- KEYS  1 state  2 closed  3 sent  4 index
-- ARGV  1 epoch  2 partition name  3 least age of a confirmed batch, µs  4 cursor of the index, '0' at first
-- Answers {'ok', next cursor, {batch, slot, run id, …}, {entry id, batch, …}} | {'epoch', current}
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'number')
local wrong = wrong_epoch(ARGV[1], s[1], s[2])
if wrong then return wrong end
local now = time_us()
local old, known = {}, { [s[1] .. '.' .. ARGV[2] .. '.' .. s[3]] = true }
local sent = redis.call('HGETALL', KEYS[3])
for i = 1, #sent, 2 do
  known[sent[i]] = true
  local slot, run, at = string.match(sent[i + 1], '^(%d+) confirmed (%S+) (%d+)$')
  if slot and math.abs(now - tonumber(at)) >= tonumber(ARGV[3]) then
    old[#old + 1], old[#old + 2], old[#old + 3] = sent[i], slot, run
  end
end
for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do known[id] = true end
local page = redis.call('HSCAN', KEYS[4], ARGV[4], 'COUNT', 200)
local dangling = {}
for i = 1, #page[2], 2 do
  if not known[page[2][i + 1]] then dangling[#dangling + 1], dangling[#dangling + 2] = page[2][i], page[2][i + 1] end
end
return { 'ok', page[1], old, dangling }
