#!lua
-- Increment of a write-behind counter: executed on the cached copy, staged as its result.
--
-- KEYS  1 state  2 open  3 closed  4 queue  5 index  6 entry  7 carried; with an Idempotency-Key 8 records  9 token  10 sent
-- ARGV  1 epoch  2 not after, µs  3 partition name  4 entry id  5 by (an integer)  6 TTL of the copy, ms
--       7 max entries  8 max bytes  9 max queued batches
--       10 condition: '' | '=<version>' (If-Match) | '-' (If-None-Match: *)
--       with an Idempotency-Key: 11 its digest  12 fingerprint of the request  13 token of this request
-- Answers {'ok', version, batch id, now, value} | {'epoch', current} | {'late', now} | {'full'} | {'draining'}
--       | {'miss'}: fill the cache, then try again | {'condition', version} | {'overflow', value}: the result would leave ±(2^53 − 1)
-- @use staging
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'clock', 'number', 'count', 'bytes', 'drain')
local wrong = wrong_epoch(ARGV[1], s[1], s[2])
if wrong then return wrong end
local now = time_us()
if now > tonumber(ARGV[2]) then return { 'late', now } end

local keys = { state = KEYS[1], open = KEYS[2], closed = KEYS[3], queue = KEYS[4], index = KEYS[5], carried = KEYS[7] }
local once
if ARGV[11] then
  once = { key = ARGV[11], fingerprint = ARGV[12], token = ARGV[13] }
  keys.records, keys.token, keys.sent = KEYS[8], KEYS[9], KEYS[10]
  local answer = repeated(keys, s[1], s[1] .. '.' .. ARGV[3] .. '.' .. s[4], once)
  if answer then return answer end
end
if refuses_writes(s[7]) then return { 'draining' } end

local held, tag, text = cached_copy(redis.call('GET', KEYS[6]), ARGV[1])
if not held then return { 'miss' } end
local exists = tag == 'c'
local condition = ARGV[10]
if condition == '-' and exists then return { 'condition', held } end
if condition ~= '' and condition ~= '-' and (not exists or digits(held) ~= string.sub(condition, 2)) then
  return { 'condition', exists and held or 0 }
end
local value = (exists and tonumber(text) or 0) + tonumber(ARGV[5])
-- Both terms are exact, so a sum past the limit is seen even where it could not be represented.
if value > 9007199254740991 or value < -9007199254740991 then return { 'overflow', exists and text or '0' } end

local result = digits(value)
if result == '-0' then result = '0' end
local version = next_version(tonumber(s[3]), now)
local clock = digits(version)
local record = once and once.key .. ',' .. once.fingerprint .. ',' .. clock .. ',' .. result
local batch = stage(
  keys,
  { epoch = s[1], partition = ARGV[3], number = s[4], count = s[5], bytes = s[6] },
  { entries = tonumber(ARGV[7]), bytes = tonumber(ARGV[8]), queue = tonumber(ARGV[9]) },
  ARGV[4], clock, 'c', result, now, record)
if not batch then return { 'full' } end
if once then remember(keys, once, record, batch) end
redis.call('SET', KEYS[6], 'V ' .. s[1] .. ' ' .. clock .. ' c ' .. result, 'PX', ARGV[6])
return { 'ok', version, batch, now, result }
