#!lua flags=allow-oom
-- What of this partition waits, and where, for operators. Looks into one closed batch only, the oldest: each may have hundreds
-- of KB. In whatever epoch is valid.
--
-- KEYS  1 state  2 open  3 closed  4 sent  5 free  6 index
-- Answers {'ok', now, epoch, entries pending anywhere, entries of the open batch, its bytes, its first write's time or 0,
--       free slots, oldest version in closed batches or 0, {closed batch, entries, bytes, …}, {batch, "<slot> sealed …", …},
--       '1' where writes are refused, number of the open batch}
--       | {'epoch', ''}: the partition must be recovered first
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'count', 'bytes', 'since', 'drain', 'number')
local wrong = wrong_epoch(s[1], s[1], s[2])
if wrong then return wrong end

-- Of a packed array, from its head: unpacking all of it would take some hundred times as long.
local function packed_length(packed)
  local a, b, c, d, e = string.byte(packed, 1, 5)
  if a == 0xdd then return ((b * 256 + c) * 256 + d) * 256 + e end
  if a == 0xdc then return b * 256 + c end
  return a - 0x90
end

local closed, first, first_number = {}, nil, math.huge
for _, id in ipairs(redis.call('HKEYS', KEYS[3])) do
  local packed = redis.call('HGET', KEYS[3], id)
  closed[#closed + 1], closed[#closed + 2], closed[#closed + 3] = id, digits(packed_length(packed) / 2), digits(#packed)
  local number = tonumber(string.match(id, '%d+$'))
  if number < first_number then first, first_number = packed, number end
end
local oldest = 0
if first then
  oldest = math.huge
  local content = cmsgpack.unpack(first)
  for i = 2, #content, 2 do oldest = math.min(oldest, tonumber(string.match(content[i], '^%d+'))) end
end
return { 'ok', time_us(), s[1], redis.call('HLEN', KEYS[6]), tonumber(s[3]), tonumber(s[4]), tonumber(s[5]),
  redis.call('LLEN', KEYS[5]), oldest, closed, redis.call('HGETALL', KEYS[4]),
  refuses_writes(s[6]) and '1' or '0', tonumber(s[7]) }
