-- A request ends. ARGV: name of the request. Returns: how many of that name there were.
return {redis.call('zrem', KEYS[1], ARGV[1])}
