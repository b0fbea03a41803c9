-- Shared by the scripts of a recovery; the loader puts it after the prelude where a script asks for it.

-- Remembers the idempotency records that a mutation of a batch carries, as stage.lua does. The first one of a key stays.
local function restore_records(records_key, records, batch)
  for key, rest in string.gmatch(records, '([^,;]+)(,[^;]*)') do
    redis.call('HSETNX', records_key, key, string.sub(rest, 2) .. ' ' .. batch)
  end
end
