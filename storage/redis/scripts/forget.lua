#!lua flags=allow-oom
-- Removes from the pending index what still names a batch that nobody has (found by the sweep).
--
-- KEYS  1 state  2 index
-- ARGV  1 epoch  2… entry id, batch id
-- Answers {'ok', removed} | {'epoch', current}
local wrong = check_epoch(KEYS[1], ARGV[1])
if wrong then return wrong end
local removed = 0
for i = 2, #ARGV, 2 do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[i + 1] then removed = removed + redis.call('HDEL', KEYS[2], ARGV[i]) end
end
return { 'ok', removed }
