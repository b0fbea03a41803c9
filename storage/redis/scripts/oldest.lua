#!lua flags=allow-oom
-- Below which versions nothing of this partition is pending in Redis, or will be. The clock is raised to the time first, so
-- that a partition that nobody writes to does not hold up pruning: every later version is above it. In whatever epoch is
-- valid.
--
-- KEYS  1 state  2 open  3 closed
-- Answers {'ok', clock, oldest pending version or ''} | {'epoch', ''}: the partition must be recovered first
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id')
local wrong = wrong_epoch(s[1], s[1], s[2])
if wrong then return wrong end
raise_clock(KEYS[1], time_us())
local oldest = math.huge
local function look(mutation)
  oldest = math.min(oldest, tonumber(string.match(mutation, '^%d+')))
end
for _, mutation in ipairs(redis.call('HVALS', KEYS[2])) do look(mutation) end
for _, closed in ipairs(redis.call('HVALS', KEYS[3])) do
  local content = cmsgpack.unpack(closed)
  for i = 2, #content, 2 do look(content[i]) end
end
local clock = tonumber(redis.call('HGET', KEYS[1], 'clock'))
return { 'ok', clock, oldest == math.huge and '' or oldest }
