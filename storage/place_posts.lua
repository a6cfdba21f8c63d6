-- Reads what leads from posts to stories, and writes what was decided on it if nothing of it has changed since.
--
-- KEYS  1: the guard   2: what stands before every key of the stories
-- ARGV  1: what the guard must hold after the server's run id   2: time to live in milliseconds
--       3: the version that was read, or '' to read   4: what was read, as its digest   5: number of posts, then for each:
--          first slot, last slot, post, text, number of bands, bands (all of one length)
--       to write, then: number of hashes, and for each: slot, kind, number of tokens, tokens (all of one length),
--       what each holds from now on (a byte of length, then the stories)
--       number of posts, and for each: story, author, text, leader ('' for none), hour ('' for none), slot, 1 if new
--
-- `<slot>:<kind>` is a hash: post (kind 1), text (2) or band (3 and on) → the ids of stories, 8 bytes each.
-- `<slot>:authors` is a hash: an author's hour → posts.
-- `leader:<story>` is a string: author, text (6 bytes each), and what the story's first post is compared by.
-- `told:<story>` is a hash, from the second post on: `n` posts, `a` authors, `t<text>` authors of this text, and with
-- an empty value each `a<author>`, `t<text><author>` that was counted.
-- `version` is new after every writing: while it stays, nothing need be read again.
--
-- Reading gives {version, digest, {slot, kind, token, stories, slot, kind, …}}. Writing gives four numbers for each post (posts,
-- authors, authors of the text, the author's posts of the hour), or nothing when what was read is not so any more.
local MOST = 1000

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
if ARGV[at] ~= '0' then
  redis.call('INCR', base .. 'version')
  redis.call('PEXPIRE', base .. 'version', ttl)
end
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
at = at + 1

local function note(told, counter, member)
  local count = tonumber(redis.call('HGET', told, counter) or 0)
  if count < MOST and redis.call('HSETNX', told, member, '') == 1 then
    return redis.call('HINCRBY', told, counter, 1)
  end
  return count
end

local function note_author(told, author, text)
  return note(told, 'a', 'a' .. author), note(told, 't' .. text, 't' .. text .. author)
end

local function count(story, author, text, leader)
  local kept, told = named('leader:', story), named('told:', story)
  local before = redis.call('GETRANGE', kept, 0, 11)
  if leader ~= '' then
    redis.call('SET', kept, leader, 'PX', ttl)
  else
    redis.call('PEXPIRE', kept, ttl)
  end
  if redis.call('EXISTS', told) == 0 then
    if before == '' then
      return 1, 1, 1
    end
    redis.call('HSET', told, 'n', 1)
    note_author(told, string.sub(before, 1, 6), string.sub(before, 7, 12))
  end
  local posts = redis.call('HINCRBY', told, 'n', 1)
  local authors, of_text = note_author(told, author, text)
  redis.call('PEXPIRE', told, ttl)
  return posts, authors, of_text
end

local function recall(story, text)
  local held = redis.call('HMGET', named('told:', story), 'n', 'a', 't' .. text)
  return tonumber(held[1] or 1), tonumber(held[2] or 1), tonumber(held[3] or 1)
end

local answers = {}
for _ = 1, tonumber(ARGV[at]) do
  local story, author, text, leader, hour, slot = unpack(ARGV, at + 1, at + 6)
  local is_new = ARGV[at + 7] == '1'
  at = at + 7
  local posts, authors, of_text
  if is_new then
    posts, authors, of_text = count(story, author, text, leader)
  else
    posts, authors, of_text = recall(story, text)
  end
  local of_author = 0
  if hour ~= '' then
    local key = base .. slot .. ':authors'
    if is_new then
      of_author = redis.call('HINCRBY', key, hour, 1)
      redis.call('PEXPIRE', key, ttl)
    else
      of_author = tonumber(redis.call('HGET', key, hour) or 1)
    end
  end
  for _, number in ipairs({posts, authors, of_text, of_author}) do
    answers[#answers + 1] = number
  end
end
return answers
