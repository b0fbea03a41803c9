#!lua flags=allow-oom
-- How much of a partition waits, for metrics: counts, and what tells the age of the oldest write. In whatever epoch is valid.
-- Reads no value but those of the oldest batch that Temporal does not have for certain.
--
-- KEYS  1 state  2 closed  3 queue  4 sent  5 free  6 index
-- ARGV  none
-- Answers {'ok', epoch, now, entries in the index, entries staged, batches without a slot, batches offered and not confirmed,
--          free slots, oldest version staged or '', {batch, slot, run id, confirmed at, …}} | {'epoch', ''}
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'number', 'count', 'since')
local wrong = wrong_epoch(s[1], s[1], s[2])
if wrong then return wrong end

-- The length of a packed array, from its head: {entry id, mutation, …}.
local function packed_entries(text)
  local head, a, b, c, d = string.byte(text, 1, 5)
  if head == 0xdc then return (a * 256 + b) / 2 end
  if head == 0xdd then return (((a * 256 + b) * 256 + c) * 256 + d) / 2 end
  return (head - 0x90) / 2
end

local open = tonumber(s[4] or '0')
local staged, oldest = open, open > 0 and tonumber(s[5]) or math.huge
local first, first_number
for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do
  local text = redis.call('HGET', KEYS[2], id)
  staged = staged + packed_entries(text)
  -- Batches are numbered as they began, so the lowest has the oldest write.
  local number = tonumber(string.match(id, '%d+$'))
  if not first_number or number < first_number then first, first_number = text, number end
end
if first then
  local content = cmsgpack.unpack(first)
  for i = 2, #content, 2 do oldest = math.min(oldest, tonumber(string.match(content[i], '^%d+'))) end
end
local confirmed, offered = {}, 0
local sent = redis.call('HGETALL', KEYS[4])
for i = 1, #sent, 2 do
  local slot, run, at = string.match(sent[i + 1], '^(%d+) confirmed (%S+) (%d+)$')
  if slot then
    local n = #confirmed
    confirmed[n + 1], confirmed[n + 2], confirmed[n + 3], confirmed[n + 4] = sent[i], slot, run, at
  else
    offered = offered + 1
  end
end
return {
  'ok', s[1], time_us(), redis.call('HLEN', KEYS[6]), staged,
  redis.call('LLEN', KEYS[3]) + (open > 0 and 1 or 0), offered, redis.call('LLEN', KEYS[5]),
  oldest == math.huge and '' or digits(oldest), confirmed,
}
