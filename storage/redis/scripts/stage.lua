#!lua
-- Stages writes of one partition in their order: puts, deletes and increments of write-behind entries. Of each the version, the
-- cached copy, the open batch and the pending index, all in one step. An increment is executed on the cached copy, and its
-- result is staged.
-- Needs memory, so it fails as a whole (OOM) where Redis is full.
--
-- KEYS  1 state  2 open  3 closed  4 queue  5 index  6 carried  7 records  8 sent
--       then for each write its entry and, with an Idempotency-Key, the token
-- ARGV  1 epoch  2 not after, µs  3 partition name  4 max entries  5 max bytes  6 max queued batches
--       then for each write: tag of what is put or deleted, or '+' for an increment, followed by '?' where it has a condition
--       and by '!' where it has an Idempotency-Key; its value, or the integer to add; TTL of the copy, ms;
--       with '?' its condition: '=<version>' (If-Match) | '-' (If-None-Match: *);
--       with '!' the digest of its Idempotency-Key, the fingerprint of the request, the token with which
--       PostgreSQL was asked, or '', and one that was never used
-- Answers {'epoch', current} | {'late', now} | {'ok', one for each write, {now, batch id}}, where one is:
--       the version: the write is in that batch | {'ok', version, batch id} in this one | with a third part: after an
--       increment its result | {'full'} | {'draining'}
--       | {'miss'}: the entry is needed in the cache | {'condition', version}: it does not hold; 0 where the entry does not exist
--       | {'overflow', value}: the result would leave ±(2^53 − 1)
--       | with an Idempotency-Key {'replay', …} and {'check', token}: see once.lua
-- @use closing
-- @use staging
-- @use once
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'clock', 'number', 'count', 'bytes', 'drain')
local wrong = wrong_epoch(ARGV[1], s[1], s[2])
if wrong then return wrong end
local now = time_us()
if now > tonumber(ARGV[2]) then return { 'late', now } end

local epoch = ARGV[1]
local keys = {
  state = KEYS[1], open = KEYS[2], closed = KEYS[3], queue = KEYS[4], index = KEYS[5], carried = KEYS[6], records = KEYS[7], sent = KEYS[8],
}
local limits = { entries = tonumber(ARGV[4]), bytes = tonumber(ARGV[5]), queue = tonumber(ARGV[6]) }
local batch = open_batch(keys, epoch .. '.' .. ARGV[3] .. '.', s[4], s[5], s[6])
local clock = tonumber(s[3])
local draining = refuses_writes(s[7])
-- The copies that these writes leave, by the entry's key. They are set once, at the end.
local copies = {}

local function copy_of(key)
  local copy = copies[key]
  if copy then return copy.version, copy.tag, copy.value end
  return cached_copy(redis.call('GET', key), epoch)
end

-- Why a write whose condition is not nil does not happen, or nil.
local function refused(condition, version, exists)
  if condition == '-' then
    if exists then return { 'condition', version } end
  elseif condition and (not exists or digits(version) ~= string.sub(condition, 2)) then
    return { 'condition', exists and version or 0 }
  end
end

local opened = batch.id

local function write(key, tag, value, ttl, condition, once)
  if once then
    local answer = repeated(keys, epoch, batch.id, once)
    if answer then return answer end
  end
  if draining then return { 'draining' } end

  local result
  if tag == '+' or condition then
    local held, held_tag, text = copy_of(key)
    if not held then return { 'miss' } end
    local exists = tag == '+' and held_tag == 'c' or tag ~= '+' and held_tag == string.lower(held_tag)
    local refusal = refused(condition, held, exists)
    if refusal then return refusal end
    if tag == '+' then
      local sum = (exists and tonumber(text) or 0) + tonumber(value)
      -- Both terms are exact, so a sum past the limit is seen even where it could not be represented.
      if sum > 9007199254740991 or sum < -9007199254740991 then return { 'overflow', exists and text or '0' } end
      tag, value = 'c', digits(sum)
      if value == '-0' then value = '0' end
      result = value
    end
  end

  local version = next_version(clock, now)
  local text = digits(version)
  local record = once and once.key .. ',' .. once.fingerprint .. ',' .. text .. ',' .. (result or '')
  local id = stage(batch, limits, entry_id(KEYS[1], key), text, tag, value, record)
  if not id then return { 'full' } end
  clock = version
  if once then remember(keys, once, record, id) end
  copies[key] = { version = version, digits = text, tag = tag, value = value, ttl = ttl }
  if result or id ~= opened then return { 'ok', version, id, result } end
  return version
end

local answer = { 'ok' }
local k, a = 9, 7
while a <= #ARGV do
  local tag, value, ttl = ARGV[a], ARGV[a + 1], ARGV[a + 2]
  local key, condition, once = KEYS[k], nil, nil
  k, a = k + 1, a + 3
  if #tag > 1 then
    local flags = string.sub(tag, 2)
    tag = string.sub(tag, 1, 1)
    if string.find(flags, '?', 1, true) then
      condition = ARGV[a]
      a = a + 1
    end
    if string.find(flags, '!', 1, true) then
      once = { key = ARGV[a], fingerprint = ARGV[a + 1], asked = ARGV[a + 2], fresh = ARGV[a + 3], token_key = KEYS[k] }
      k, a = k + 1, a + 4
    end
  end
  answer[#answer + 1] = write(key, tag, value, ttl, condition, once)
end

keep_open(batch, digits(clock), now)
local head = 'V ' .. epoch .. ' '
for key, copy in pairs(copies) do
  redis.call('SET', key, head .. copy.digits .. ' ' .. copy.tag .. ' ' .. copy.value, 'PX', copy.ttl)
end
answer[#answer + 1] = { now, opened }
return answer
