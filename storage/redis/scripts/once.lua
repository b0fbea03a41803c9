-- Writes with an Idempotency-Key; the loader puts it after the prelude where a script asks for it. `once` has the digest of the
-- key, the fingerprint of the request, token_key, where the question to PostgreSQL is noted, the token of the question that the
-- caller has asked ('' at first), and a fresh one.

-- How long PostgreSQL may take to be asked, in ms.
local TOKEN_MS = 15000

-- Before a write with an Idempotency-Key. A record in Redis is the answer: {'replay', fingerprint, version, value, batch id,
-- '1' where Temporal has that batch}. Without one PostgreSQL must be asked: {'check', token}, and the token is left. nil:
-- it was asked since, and nobody has executed a write with this key meanwhile, for that would have removed the token.
local function repeated(keys, epoch, open, once)
  local found = redis.call('HGET', keys.records, once.key)
  if found then
    local fingerprint, version, value, batch = string.match(found, '^([^,]+),(%d+),(%S*) (%S+)$')
    local sent = redis.call('HGET', keys.sent, batch)
    local confirmed = sent and string.find(sent, ' confirmed ', 1, true)
    if confirmed or batch == open or redis.call('HEXISTS', keys.closed, batch) == 1 then
      return { 'replay', fingerprint, tonumber(version), value, batch, confirmed and '1' or '0' }
    end
    -- The batch is done and its release was lost: PostgreSQL knows.
    redis.call('HDEL', keys.records, once.key)
  end
  local token = redis.call('GET', once.token_key)
  if token == epoch .. ' ' .. once.asked then return nil end
  -- One that is there serves everybody: whoever asks PostgreSQL from now on asks later than it was left.
  local left = token and string.match(token, '^' .. string.gsub(epoch, '%-', '%%-') .. ' (.*)$')
  if left then return { 'check', left } end
  -- Never one that was left before: others may have asked with it before a write was executed that took it away.
  redis.call('SET', once.token_key, epoch .. ' ' .. once.fresh, 'PX', TOKEN_MS)
  return { 'check', once.fresh }
end

-- Notes that a write with an Idempotency-Key was executed.
local function remember(keys, once, record, batch)
  redis.call('DEL', once.token_key)
  redis.call('HSET', keys.records, once.key, string.sub(record, #once.key + 2) .. ' ' .. batch)
end
