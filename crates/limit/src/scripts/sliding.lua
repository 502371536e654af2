-- Sliding window by two weighted buckets; see sliding.rs, whose arithmetic this is, in milliseconds.
-- ARGV: cost, limit, seconds. Returns: counted, consumed, milliseconds to wait.
local cost, limit, width = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] * 1000
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('hmget', KEYS[1], 'start', 'current', 'previous')
local start, current, previous = tonumber(held[1] or now), tonumber(held[2] or 0), tonumber(held[3] or 0)
if now - start >= 2 * width then
  start, current, previous = now, 0, 0
elseif now - start >= width then
  start, current, previous = start + width, 0, current
end
local used = current + math.ceil(previous * math.max(width - (now - start), 0) / width)
if used + cost <= limit then
  redis.call('hset', KEYS[1], 'start', string.format('%.0f', start), 'current', current + cost, 'previous', previous)
  redis.call('pexpire', KEYS[1], string.format('%.0f', start + 2 * width - now))
  return {1, used + cost, width}
end
local from, fading, staying = start, previous, current
if current + cost > limit then
  from, fading, staying = start + width, current, 0
end
local room = math.max(limit - staying - cost, 0)
local kept = math.floor(room * width / math.max(fading, 1))
return {0, used, math.max(from + math.max(width - kept, 0) - now, 0)}
