-- Of the scripts that set and end blocks; the loader puts it after the prelude where a script asks for it.
--
-- A block is "<token> <until>", or of several writes "<token>:<until>,<token>:<until>… <until>": those whose commits may
-- still come, newest first. It ends where the last of them does, so that one that fails never ends the block of another.
-- Whoever wants to know only whether fills are blocked reads the last field. Past it, its writes are in doubt.

-- So many are told apart. Of one entry there are more only where PostgreSQL leaves many in doubt; the oldest are then one
-- that nobody can end ('0', as after a write around Redis).
local TOLD_APART = 32

-- Its writes, whose commits may be under way or in doubt: {token, until}, newest first.
local function blocking(text, now)
  local writes = {}
  if not text then return writes end
  local tokens, last = string.match(text, '^(%S+) (%d+)$')
  for token, own in string.gmatch(tokens, '([^,:]+):?(%d*)') do
    local ends = tonumber(own) or tonumber(last)
    if ends + IN_DOUBT_US > now then writes[#writes + 1] = { token, ends } end
  end
  return writes
end

-- These writes are all that keeps others from filling the entry now. One alone is written as older versions of us know it.
local function set_block(key, id, writes)
  if #writes < 2 then
    if #writes == 0 then redis.call('HDEL', key, id) end
    if #writes == 1 then redis.call('HSET', key, id, writes[1][1] .. ' ' .. digits(writes[1][2])) end
    return
  end
  local last, rest, tokens = 0, 0, {}
  for i, write in ipairs(writes) do
    local token, ends = write[1], write[2]
    last = math.max(last, ends)
    if i <= TOLD_APART then
      tokens[i] = token .. ':' .. digits(ends)
    else
      rest = math.max(rest, ends)
      tokens[TOLD_APART + 1] = '0:' .. digits(rest)
    end
  end
  redis.call('HSET', key, id, table.concat(tokens, ',') .. ' ' .. digits(last))
end
