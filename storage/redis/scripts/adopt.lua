#!lua flags=allow-oom
-- The oldest batch that was sealed and offered a while ago and is still not confirmed: its process died, or could not
-- reach Temporal. It is offered again: same batch, same slot. Noting the time keeps others from doing it at once.
--
-- KEYS  1 state  2 closed  3 sent
-- ARGV  1 epoch  2 how long ago, µs
-- Answers {'sealed', batch id, slot, now, {entry id, mutation, …}} | {'none'} | {'epoch', current}
local wrong = check_epoch(KEYS[1], ARGV[1])
if wrong then return wrong end
local now = time_us()
local sent = redis.call('HGETALL', KEYS[3])
local oldest, id, slot
for i = 1, #sent, 2 do
  local s, at = string.match(sent[i + 1], '^(%d+) sealed (%d+)$')
  at = tonumber(at)
  -- An offer "in the future" was noted under a clock that has since been set back: as old as can be.
  if at and at > now then at = 0 end
  if at and (not oldest or at < oldest) then oldest, id, slot = at, sent[i], s end
end
if not oldest or now - oldest < tonumber(ARGV[2]) then return { 'none' } end
redis.call('HSET', KEYS[3], id, slot .. ' sealed ' .. digits(now))
return { 'sealed', id, slot, now, cmsgpack.unpack(redis.call('HGET', KEYS[2], id)) }
