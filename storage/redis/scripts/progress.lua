#!lua flags=allow-oom
-- How far batches have come, for waiters that may have missed a message.
--
-- KEYS  1 state  2 closed  3 sent
-- ARGV  1 epoch  2 partition name  3… batch ids of that epoch
-- Answers {'ok', state, …}: for each batch 'staged' | 'queued' | 'gone': released | or {'epoch', current}
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'number')
local wrong = wrong_epoch(ARGV[1], s[1], s[2])
if wrong then return wrong end
local answer = { 'ok' }
local open = s[1] .. '.' .. ARGV[2] .. '.' .. s[3]
for i = 3, #ARGV do
  local sent = redis.call('HGET', KEYS[3], ARGV[i])
  local state = 'gone'
  if sent and string.find(sent, ' confirmed ', 1, true) then state = 'queued'
  elseif ARGV[i] == open or redis.call('HEXISTS', KEYS[2], ARGV[i]) == 1 then state = 'staged' end
  answer[#answer + 1] = state
end
return answer
