-- The open batch while a script stages writes; the loader puts it after the prelude where a script asks for it. What is staged
-- is collected first and written at the end, or when the batch is full: an entry that is written often is written once.

-- The records that one entry may have on its way. Beyond it the write is turned away, as where the queue is full.
local MAX_RECORDS_BYTES = 65536

-- `prefix` is what the batch's id begins with, and its number follows.
local function open_batch(keys, prefix, number, count, bytes)
  return {
    keys = keys, prefix = prefix, number = tonumber(number), id = prefix .. number,
    count = tonumber(count), bytes = tonumber(bytes),
    -- How many entries it had before, the mutations collected since by entry id, and their ids in order.
    stored = tonumber(count), fresh = {}, ids = {},
    -- The ids of those that were not in it before.
    added = {},
    changed = false,
    carries = redis.call('EXISTS', keys.carried) == 1,
  }
end

-- The records of the writes that the entry's value rests on and that only unconfirmed batches hold: if Redis forgot those
-- batches and not the next one, their effect would stay and their records be lost, and a repetition would count twice.
local function carried_records(batch, id)
  if not batch.carries then return '' end
  local keys = batch.keys
  local carried = redis.call('HGET', keys.carried, id)
  if not carried then return '' end
  local holder, records = string.match(carried, '^(%S+) (.*)$')
  if holder == batch.id or redis.call('HEXISTS', keys.closed, holder) == 1 then return records end
  redis.call('HDEL', keys.carried, id)
  return ''
end

-- Writes what was collected into the open batch and the pending index.
local function write_open(batch)
  local content, index = {}, {}
  for i, id in ipairs(batch.ids) do content[2 * i - 1], content[2 * i] = id, batch.fresh[id] end
  for i, id in ipairs(batch.added) do index[2 * i - 1], index[2 * i] = id, batch.id end
  if #content > 0 then redis.call('HSET', batch.keys.open, unpack(content)) end
  if #index > 0 then redis.call('HSET', batch.keys.index, unpack(index)) end
end

local function next_batch(batch)
  local keys = batch.keys
  write_open(batch)
  close_open(keys.state, keys.open, keys.closed, keys.queue, batch.id, batch.number)
  batch.number = batch.number + 1
  batch.id = batch.prefix .. digits(batch.number)
  batch.count, batch.bytes, batch.stored = 0, 0, 0
  batch.fresh, batch.ids, batch.added = {}, {}, {}
end

-- Puts one mutation into the open batch (a new one where it is full); `clock` is its version as text, `record` what a
-- repetition with the same Idempotency-Key is to be told, or nil. Answers the batch id, or nil where too many batches wait
-- already; then nothing was changed.
local function stage(batch, limits, id, clock, tag, value, record)
  local records = carried_records(batch, id)
  if record then records = records == '' and record or records .. ';' .. record end
  if #records > MAX_RECORDS_BYTES then return nil end
  local mutation = clock .. ' ' .. tag .. (records == '' and ' ' or '+' .. records .. ' ') .. value
  local size = #id + #mutation + OVERHEAD
  local collected = batch.fresh[id]
  local held_length = collected and #collected or batch.stored > 0 and redis.call('HSTRLEN', batch.keys.open, id) or 0
  local held = held_length > 0
  local held_size = held and #id + held_length + OVERHEAD or 0
  if batch.count > 0 and ((not held and batch.count >= limits.entries) or batch.bytes - held_size + size > limits.bytes) then
    if redis.call('LLEN', batch.keys.queue) >= limits.queue then return nil end
    next_batch(batch)
    collected, held, held_size = nil, false, 0
  end
  if not collected then batch.ids[#batch.ids + 1] = id end
  if not held then
    batch.added[#batch.added + 1] = id
    batch.count = batch.count + 1
  end
  batch.fresh[id] = mutation
  batch.bytes = batch.bytes - held_size + size
  batch.changed = true
  if records ~= '' then
    redis.call('HSET', batch.keys.carried, id, batch.id .. ' ' .. records)
    batch.carries = true
  end
  return batch.id
end

-- Writes what was staged, once everything was.
local function keep_open(batch, clock, now)
  if not batch.changed then return end
  write_open(batch)
  local state = batch.keys.state
  if batch.stored > 0 then
    redis.call('HSET', state, 'clock', clock, 'bytes', digits(batch.bytes), 'count', digits(batch.count))
  else
    redis.call('HSET', state, 'clock', clock, 'bytes', digits(batch.bytes), 'count', digits(batch.count), 'since', digits(now))
  end
end
