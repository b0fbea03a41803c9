#!lua flags=allow-oom
-- The workflow of a confirmed batch ended with its writes inside and was started again in the same slot: from here on
-- sweep and readers look at the new run.
--
-- KEYS  1 state  2 sent
-- ARGV  1 epoch  2 batch id  3 slot  4 run id of the run that ended  5 run id of the new one
-- Answers {'ok'} | {'gone'}: released, or another run is recorded already | {'epoch', current}
local wrong = check_epoch(KEYS[1], ARGV[1])
if wrong then return wrong end
local sent = redis.call('HGET', KEYS[2], ARGV[2])
local ended = ARGV[3] .. ' confirmed ' .. ARGV[4] .. ' '
if not sent or string.sub(sent, 1, #ended) ~= ended then return { 'gone' } end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3] .. ' confirmed ' .. ARGV[5] .. ' ' .. digits(time_us()))
return { 'ok' }
