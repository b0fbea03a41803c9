-- Shared by the scripts that stage or seal mutations; the loader puts it after the prelude where a script asks for it.

-- Closes the open batch for writes: its content moves under its id, and the next number begins.
local function close_open(state_key, open_key, closed_key, queue_key, id, number)
  redis.call('HSET', closed_key, id, cmsgpack.pack(redis.call('HGETALL', open_key)))
  redis.call('RPUSH', queue_key, id)
  redis.call('DEL', open_key)
  redis.call('HSET', state_key, 'number', digits(number + 1), 'count', '0', 'bytes', '0', 'since', '0')
end

-- The records that one entry may have on its way. Beyond it the write is turned away, as where the queue is full.
local MAX_RECORDS_BYTES = 65536

-- The records of the writes that the entry's value rests on and that only unconfirmed batches hold: if Redis forgot those
-- batches and not the next one, their effect would stay and their records be lost, and a repetition would count twice.
local function carried_records(keys, open, id)
  local carried = redis.call('HGET', keys.carried, id)
  if not carried then return '' end
  local batch, records = string.match(carried, '^(%S+) (.*)$')
  if batch == open or redis.call('HEXISTS', keys.closed, batch) == 1 then return records end
  redis.call('HDEL', keys.carried, id)
  return ''
end

-- Puts one mutation into the open batch (a new one where it is full) and into the pending index; `clock` is its version as
-- text, `record` what a repetition with the same Idempotency-Key is to be told, or nil. Answers the batch id, or nil where
-- too many batches wait already; then nothing was changed.
local function stage(keys, s, limits, id, clock, tag, value, now, record)
  local number, count, bytes = tonumber(s.number), tonumber(s.count), tonumber(s.bytes)
  local records = carried_records(keys, s.epoch .. '.' .. s.partition .. '.' .. s.number, id)
  if record then records = records == '' and record or records .. ';' .. record end
  if #records > MAX_RECORDS_BYTES then return nil end
  local mutation = clock .. ' ' .. tag .. (records == '' and ' ' or '+' .. records .. ' ') .. value
  local size = #id + #mutation + OVERHEAD
  local held_length = redis.call('HSTRLEN', keys.open, id)
  local held = held_length > 0
  local held_size = held and #id + held_length + OVERHEAD or 0
  if count > 0 and ((not held and count >= limits.entries) or bytes - held_size + size > limits.bytes) then
    if redis.call('LLEN', keys.queue) >= limits.queue then return nil end
    close_open(keys.state, keys.open, keys.closed, keys.queue, s.epoch .. '.' .. s.partition .. '.' .. digits(number), number)
    number, count, bytes, held, held_size = number + 1, 0, 0, false, 0
  end
  local batch = s.epoch .. '.' .. s.partition .. '.' .. digits(number)
  redis.call('HSET', keys.open, id, mutation)
  if held then
    redis.call('HSET', keys.state, 'clock', clock, 'bytes', digits(bytes - held_size + size))
  elseif count > 0 then
    redis.call('HSET', keys.state, 'clock', clock, 'bytes', digits(bytes + size), 'count', digits(count + 1))
    redis.call('HSET', keys.index, id, batch)
  else
    redis.call('HSET', keys.state, 'clock', clock, 'bytes', digits(size), 'count', '1', 'since', digits(now))
    redis.call('HSET', keys.index, id, batch)
  end
  if records ~= '' then redis.call('HSET', keys.carried, id, batch .. ' ' .. records) end
  return batch
end

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
  local token = redis.call('GET', keys.token)
  if token == epoch .. ' ' .. once.token then return nil end
  -- One that is there serves everybody: whoever asks PostgreSQL from now on asks later than it was left.
  local left = token and string.match(token, '^' .. string.gsub(epoch, '%-', '%%-') .. ' (.*)$')
  if left then return { 'check', left } end
  redis.call('SET', keys.token, epoch .. ' ' .. once.token, 'PX', TOKEN_MS)
  return { 'check', once.token }
end

-- Notes that a write with an Idempotency-Key was executed.
local function remember(keys, once, record, batch)
  redis.call('DEL', keys.token)
  redis.call('HSET', keys.records, once.key, string.sub(record, #once.key + 2) .. ' ' .. batch)
end

-- Slots that no batch names any more become free. `sent` lists the batches that are under way.
local function free_slot(sent_key, free_key, slot)
  local sent = redis.call('HVALS', sent_key)
  for i = 1, #sent do
    if string.match(sent[i], '^%d+') == slot then return end
  end
  redis.call('LREM', free_key, 0, slot)
  redis.call('RPUSH', free_key, slot)
end
