#!lua flags=allow-oom
-- What Redis knows of an entry, without changing anything: for explanations.
--
-- KEYS  1 state  2 open  3 closed  4 sent  5 index  6 entry
-- ARGV  1 epoch  2 entry id
-- Answers {'ok', copy of this epoch or '', batch id or '', slot, run id, mutation} | {'epoch', current}
local wrong = check_epoch(KEYS[1], ARGV[1])
if wrong then return wrong end
local copy = redis.call('GET', KEYS[6]) or ''
if not cached_copy(copy, ARGV[1]) then copy = '' end
local batch = redis.call('HGET', KEYS[5], ARGV[2])
if not batch then return { 'ok', copy, '', '', '', '' } end
local slot, run_id = string.match(redis.call('HGET', KEYS[4], batch) or '', '^(%d+) confirmed (%S+)')
if slot then return { 'ok', copy, batch, slot, run_id, '' } end
local closed = redis.call('HGET', KEYS[3], batch)
local mutation = ''
if closed then
  local content = cmsgpack.unpack(closed)
  for i = 1, #content, 2 do
    if content[i] == ARGV[2] then mutation = content[i + 1] end
  end
else
  mutation = redis.call('HGET', KEYS[2], ARGV[2]) or ''
end
return { 'ok', copy, batch, '', '', mutation }
