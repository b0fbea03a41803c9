#!lua flags=allow-oom
-- Temporal has the batch: its content leaves Redis, the index stays, and waiters learn that it is queued. Records the slot
-- in which the start really succeeded. Frees memory, so it runs when Redis is full.
--
-- KEYS  1 state  2 closed  3 queue  4 sent  5 free
-- ARGV  1 epoch  2 batch id  3 slot  4 run id of the workflow  5 channel
-- Answers {'ok'} | {'gone'}: confirmed or released already | {'epoch', current}
-- @use slots
local wrong = check_epoch(KEYS[1], ARGV[1])
if wrong then return wrong end
if redis.call('HDEL', KEYS[2], ARGV[2]) == 0 then return { 'gone' } end
redis.call('LREM', KEYS[3], 0, ARGV[2])
local sent = redis.call('HGET', KEYS[4], ARGV[2])
local before = sent and string.match(sent, '^%d+')
redis.call('HSET', KEYS[4], ARGV[2], ARGV[3] .. ' confirmed ' .. ARGV[4] .. ' ' .. digits(time_us()))
redis.call('LREM', KEYS[5], 0, ARGV[3])
if before and before ~= ARGV[3] then free_slot(KEYS[4], KEYS[5], before) end
redis.call('PUBLISH', ARGV[5], 'queued ' .. ARGV[2])
return { 'ok' }
