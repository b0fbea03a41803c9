#!lua flags=allow-oom
-- Every mutation of one entry that Redis holds and has not confirmed, whatever the index says: asked where the newest
-- one was set aside and an older one may count. Looks through all waiting batches, so it is for that rare case only.
--
-- KEYS  1 state  2 open  3 closed
-- ARGV  1 epoch  2 entry id
-- Answers {'ok', mutation, …} | {'epoch', current}
local wrong = check_epoch(KEYS[1], ARGV[1])
if wrong then return wrong end
local answer = { 'ok' }
for _, closed in ipairs(redis.call('HVALS', KEYS[3])) do
  local content = cmsgpack.unpack(closed)
  for i = 1, #content, 2 do
    if content[i] == ARGV[2] then answer[#answer + 1] = content[i + 1] end
  end
end
local open = redis.call('HGET', KEYS[2], ARGV[2])
if open then answer[#answer + 1] = open end
return answer
