-- Shared by the scripts that stage or seal mutations; the loader puts it after the prelude where a script asks for it.

-- Closes the open batch for writes: its content moves under its id, and the next number begins.
local function close_open(state_key, open_key, closed_key, queue_key, id, number)
  redis.call('HSET', closed_key, id, cmsgpack.pack(redis.call('HGETALL', open_key)))
  redis.call('RPUSH', queue_key, id)
  redis.call('DEL', open_key)
  redis.call('HSET', state_key, 'number', digits(number + 1), 'count', '0', 'bytes', '0', 'since', '0')
end

-- Puts one mutation into the open batch (a new one where it is full) and into the pending index; `clock` is its version as
-- text. Answers the batch id, or nil where too many batches wait already; then nothing was changed.
local function stage(keys, s, limits, id, clock, mutation, now)
  local number, count, bytes = tonumber(s.number), tonumber(s.count), tonumber(s.bytes)
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
  return batch
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
