-- Reads what leads from posts to stories, and writes what was decided on it if nothing of it has changed since.
--
-- KEYS  1: the guard   2: what stands before every key of the stories
-- ARGV  1: what the guard must hold after the server's run id   2: time to live in milliseconds
--       3: the version that was read, or '' to read   4: what was read, as its digest   5: number of posts, then for each:
--          first slot, last slot, post, text, number of bands, bands (all of one length)
--       to write, then: number of hashes, and for each: slot, kind, number of tokens, tokens (all of one length),
--       what each holds from now on (a byte of length, then the stories)
--       for each post: story, author, text, leader ('' for none), hour ('' for none), slot,
--       0 if it was known, 1 if it is placed, 2 if it is remembered
--
-- `<slot>:<kind>` is a hash: text (kind 2) or band (3 and on) → the ids of stories, 8 bytes each; post (1) → the id of its
-- story, and, if either is more than 1, the numbers that it was placed with: '3 14' for the third author of the text, and
-- his fourteenth post of the hour.
-- `<slot>:authors` is a hash: an author's hour → posts.
-- `leader:<story>` is a string: author, text (6 bytes each), and what the story's first post is compared by.
-- `told:<story>` is a hash: text → the distinct authors of it, 6 bytes each. That of the leader is there from its second
-- author on.
-- `version` is new after every writing: while it stays, nothing need be read again. It begins with the time, so that it
-- never comes again after the keys were deleted; `epoch` is that beginning.
--
-- Reading gives {version, digest, {slot, kind, token, stories, slot, kind, …}}. Writing gives two numbers for each post
-- (authors of the text, the author's posts of the hour), or nothing when what was read is not so any more.
local MOST = 1000
local AUTHOR = 6
local KNOWN, PLACED = '0', '1'

local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if redis.call('GET', KEYS[1]) ~= run_id .. ARGV[1] then
  return redis.error_reply('WINDOWSLOST the stories are not complete')
end
local base, ttl = KEYS[2], ARGV[2]

local function named(kind, story)
  return base .. kind .. (string.gsub(story, '.', function(c) return string.format('%02x', string.byte(c)) end))
end

-- Hash by hash, since one call that asks for many fields costs little more than one that asks for one.
local function read(posts)
  local hashes, of_slot = {}, {}
  local at = 6
  for _ = 1, posts do
    local first, last, post, text, bands, all = unpack(ARGV, at, at + 5)
    at = at + 6
    local size = #all / tonumber(bands)
    local fields = {post, text}
    for band = 0, tonumber(bands) - 1 do
      fields[#fields + 1] = string.sub(all, band * size + 1, (band + 1) * size)
    end
    for slot = tonumber(first), tonumber(last) do
      local of_kind = of_slot[slot]
      if of_kind == nil then
        of_kind = {}
        of_slot[slot] = of_kind
      end
      for kind, field in ipairs(fields) do
        local hash = of_kind[kind]
        if hash == nil then
          local key = base .. slot .. ':' .. kind
          hash = redis.call('EXISTS', key) == 1 and {slot = slot, kind = kind, key = key, fields = {}}
          of_kind[kind] = hash
          hashes[#hashes + 1] = hash or nil
        end
        if hash then
          hash.fields[#hash.fields + 1] = field
        end
      end
    end
  end

  local found = {}
  for _, hash in ipairs(hashes) do
    for position, stories in ipairs(redis.call('HMGET', hash.key, unpack(hash.fields))) do
      if stories then
        found[#found + 1] = hash.slot
        found[#found + 1] = hash.kind
        found[#found + 1] = hash.fields[position]
        found[#found + 1] = stories
      end
    end
  end
  return found
end

local posts = tonumber(ARGV[5])
local version = redis.call('GET', base .. 'version') or '0'
if ARGV[3] == '' then
  local found = read(posts)
  return {version, redis.sha1hex(table.concat(found, '/')), found}
end
if ARGV[3] ~= version and ARGV[4] ~= redis.sha1hex(table.concat(read(posts), '/')) then
  return {}
end

local at = 6 + 6 * posts
for _ = 1, tonumber(ARGV[at]) do
  local slot, kind, count, tokens, stories = unpack(ARGV, at + 1, at + 5)
  at = at + 5
  local size, from, fields = #tokens / tonumber(count), 1, {}
  for position = 1, tonumber(count) do
    local length = string.byte(stories, from)
    fields[2 * position - 1] = string.sub(tokens, (position - 1) * size + 1, position * size)
    fields[2 * position] = string.sub(stories, from + 1, from + length)
    from = from + 1 + length
  end
  local key = base .. slot .. ':' .. kind
  redis.call('HSET', key, unpack(fields))
  redis.call('PEXPIRE', key, ttl)
end

local function holds(authors, author)
  local found = string.find(authors, author, 1, true)
  while found and found % AUTHOR ~= 1 do
    found = string.find(authors, author, found + 1, true)
  end
  return found ~= nil
end

local function count_author(story, author, text, leader)
  local kept, told = named('leader:', story), named('told:', story)
  local first = redis.call('GETRANGE', kept, 0, 2 * AUTHOR - 1)
  local first_author, first_text = string.sub(first, 1, AUTHOR), string.sub(first, AUTHOR + 1)
  if leader == '' then
    redis.call('PEXPIRE', kept, ttl)
  else
    if first ~= '' then
      redis.call('HSETNX', told, first_text, first_author)
    end
    redis.call('SET', kept, leader, 'PX', ttl)
  end
  local authors = redis.call('HGET', told, text)
  if not authors then
    authors = (leader ~= '' and author) or (text == first_text and first_author) or ''
  end
  if #authors < MOST * AUTHOR and not holds(authors, author) then
    authors = authors .. author
    redis.call('HSET', told, text, authors)
  end
  redis.call('PEXPIRE', told, ttl)
  return #authors / AUTHOR
end

local answers, touched = {}, {}
local function put(post, story, author, text, leader, hour, slot, how)
  local key, hours = base .. slot .. ':1', base .. slot .. ':authors'
  local of_text, of_author
  if how == KNOWN then
    of_text, of_author = string.match(redis.call('HGET', key, post) or '', '^(%d+) (%d+)$', #story + 1)
  else
    of_text = count_author(story, author, text, leader)
    if hour ~= '' then
      of_author = redis.call('HINCRBY', hours, hour, 1)
      touched[hours] = true
    end
    local numbers = ''
    if how == PLACED and (of_text > 1 or (of_author or 1) > 1) then
      numbers = of_text .. ' ' .. (of_author or 0)
    end
    redis.call('HSET', key, post, story .. numbers)
    touched[key], touched[base .. 'version'] = true, true
  end
  answers[#answers + 1] = tonumber(of_text or 1)
  answers[#answers + 1] = hour == '' and 0 or tonumber(of_author or 1)
end

for n = 1, posts do
  put(ARGV[6 * n + 2], unpack(ARGV, at + 1, at + 7))
  at = at + 7
end
if next(touched) then
  if redis.call('EXISTS', base .. 'version') == 0 then
    local now = redis.call('TIME')
    local epoch = now[1] .. string.format('%06d', tonumber(now[2]))
    redis.call('SET', base .. 'version', epoch)
    redis.call('SET', base .. 'epoch', epoch)
  end
  redis.call('INCR', base .. 'version')
  touched[base .. 'epoch'] = true
end
for key in pairs(touched) do
  redis.call('PEXPIRE', key, ttl)
end
return answers
