#!lua
-- Put or delete of a write-behind entry: the version, the cached copy, the open batch and the pending index in one step.
-- Needs memory, so it fails as a whole (OOM) where Redis is full.
--
-- KEYS  1 state  2 open  3 closed  4 queue  5 index  6 entry  7 carried; with an Idempotency-Key 8 records  9 token  10 sent
-- ARGV  1 epoch  2 not after, µs  3 partition name  4 entry id  5 tag  6 value  7 TTL of the copy, ms
--       8 max entries  9 max bytes  10 max queued batches
--       11 condition: '' | '=<version>' (If-Match) | '-' (If-None-Match: *)
--       with an Idempotency-Key: 12 its digest  13 fingerprint of the request  14 token of this request
-- Answers {'ok', version, batch id, now} | {'epoch', current} | {'late', now} | {'full'} | {'draining'}
--       | {'miss'}: the condition needs the entry in the cache | {'condition', version}: it does not hold; 0 where the entry does not exist | with an
--       Idempotency-Key {'replay', …} and {'check', token}: see staging.lua
-- @use staging
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'clock', 'number', 'count', 'bytes', 'drain')
local wrong = wrong_epoch(ARGV[1], s[1], s[2])
if wrong then return wrong end
local now = time_us()
if now > tonumber(ARGV[2]) then return { 'late', now } end

local keys = { state = KEYS[1], open = KEYS[2], closed = KEYS[3], queue = KEYS[4], index = KEYS[5], carried = KEYS[7] }
local once
if ARGV[12] then
  once = { key = ARGV[12], fingerprint = ARGV[13], token = ARGV[14] }
  keys.records, keys.token, keys.sent = KEYS[8], KEYS[9], KEYS[10]
  local answer = repeated(keys, s[1], s[1] .. '.' .. ARGV[3] .. '.' .. s[4], once)
  if answer then return answer end
end
if refuses_writes(s[7]) then return { 'draining' } end

local condition = ARGV[11]
if condition ~= '' then
  local version, tag = cached_copy(redis.call('GET', KEYS[6]), ARGV[1])
  if not version then return { 'miss' } end
  local exists = tag == string.lower(tag)
  if condition == '-' then
    if exists then return { 'condition', version } end
  elseif not exists or digits(version) ~= string.sub(condition, 2) then
    return { 'condition', exists and version or 0 }
  end
end

local version = next_version(tonumber(s[3]), now)
local clock = digits(version)
local record = once and once.key .. ',' .. once.fingerprint .. ',' .. clock .. ','
local batch = stage(
  keys,
  { epoch = s[1], partition = ARGV[3], number = s[4], count = s[5], bytes = s[6] },
  { entries = tonumber(ARGV[8]), bytes = tonumber(ARGV[9]), queue = tonumber(ARGV[10]) },
  ARGV[4], clock, ARGV[5], ARGV[6], now, record)
if not batch then return { 'full' } end
if once then remember(keys, once, record, batch) end
redis.call('SET', KEYS[6], 'V ' .. s[1] .. ' ' .. clock .. ' ' .. ARGV[5] .. ' ' .. ARGV[6], 'PX', ARGV[7])
return { 'ok', version, batch, now }
