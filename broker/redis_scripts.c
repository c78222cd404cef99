/* redis_scripts.c: Lua. A state is read from the front of the map, where Celery and we write it; only a map
 * that begins otherwise is decoded whole. */
#include "broker/redis_scripts.h"

#define LUA_TERMINAL                                                                                         \
    "local function status_of(map)\n"                                                                        \
    "  local status = string.match(map, '^{\"status\": ?\"([%u_]+)\"')\n"                                    \
    "  if status then return status end\n"                                                                   \
    "  local size, text = string.match(map, '^[\\128-\\143]\\166status([\\160-\\191])([%u_]+)')\n"           \
    "  if size and #text == string.byte(size) - 160 then return text end\n"                                  \
    "  local json = string.find(map, '^%s*{')\n"                                                             \
    "  local ok, value = pcall(json and cjson.decode or cmsgpack.unpack, map)\n"                             \
    "  return ok and type(value) == 'table' and value.status\n"                                              \
    "end\n"                                                                                                  \
    "local function terminal(map)\n"                                                                         \
    "  local status = status_of(map)\n"                                                                      \
    "  return status == 'SUCCESS' or status == 'FAILURE' or status == 'REVOKED'\n"                           \
    "end\n"

#ifdef UMBEL_DEFECT_OVERWRITE_TERMINAL
#define LUA_FORCE "true" /* planted: the tests of promise P3 must catch it */
#else
#define LUA_FORCE "ARGV[2] == '1'"
#endif

/* What nearly every result needs, one SET and two PUBLISH, is in line, and asks for types only when an answer
 * is no usual number: calls of functions, of type() too, were a tenth of what Redis did for a result. Lua
 * hashes every byte of every argument, so a channel that all results share is sent once. */
const char redis_script_store[] =
    LUA_TERMINAL "local call, keys, args = redis.pcall, KEYS, ARGV\n"
                 "local ttl, force = args[1], " LUA_FORCE "\n"
                 "local out, why = nil, ''\n"
                 "local function set(key, payload)\n"
                 "  if ttl == '' then return call('SET', key, payload) end\n"
                 "  return call('SET', key, payload, 'PX', ttl)\n"
                 "end\n"
                 "local function replace(key, payload)\n"
                 "  local old = call('GET', key)\n"
                 "  if type(old) == 'table' then return old end\n"
                 "  if old and terminal(old) then return nil end\n"
                 "  return set(key, payload)\n"
                 "end\n"
                 "local count = #keys\n"
                 "local channel, each = args[count + 3], #args > count + 3\n"
                 "for i = 1, count do\n"
                 "  local key, payload, done = keys[i], args[i + 2], nil\n"
                 "  if force then\n"
                 "    done = set(key, payload)\n"
                 "  elseif ttl == '' then\n"
                 "    done = call('SET', key, payload, 'NX')\n"
                 "  else\n"
                 "    done = call('SET', key, payload, 'PX', ttl, 'NX')\n"
                 "  end\n"
                 "  if not done then done = replace(key, payload) end\n"
                 "  if done and done.ok then\n"
                 "    if each then channel = args[count + 2 + i] end\n"
                 "    if channel ~= '' then\n"
                 "      local told = call('PUBLISH', channel, payload)\n"
                 "      if told ~= 1 and told ~= 0 and type(told) == 'table' then why = told.err end\n"
                 "    end\n"
                 "    local told = call('PUBLISH', key, payload)\n"
                 "    if told ~= 0 and told ~= 1 and type(told) == 'table' then why = told.err end\n"
                 "  else\n"
                 "    out = out or {}\n"
                 "    out[i] = done and 'e' or '0'\n"
                 "    if done then why = done.err end\n"
                 "  end\n"
                 "end\n"
                 "if not out then return string.rep('1', count) .. why end\n"
                 "for i = 1, count do out[i] = out[i] or '1' end\n"
                 "return table.concat(out) .. why\n";

const char redis_script_begin[] = LUA_TERMINAL "local old = redis.call('GET', KEYS[1])\n"
                                               "if old and terminal(old) then\n"
                                               "  return {1, tonumber(redis.call('GET', KEYS[2]) or 0)}\n"
                                               "end\n"
                                               "local marks = redis.call('INCR', KEYS[2])\n"
                                               "redis.call('EXPIRE', KEYS[2], ARGV[1])\n"
                                               "return {0, marks - 1}\n";

const char redis_script_part[] =
    LUA_TERMINAL "local list, key, ttl = KEYS[1], KEYS[2], ARGV[1]\n"
                 "local run, number, payload = ARGV[3], tonumber(ARGV[4]), ARGV[5]\n"
                 "if ARGV[2] ~= '1' then\n"
                 "  local old = redis.call('GET', key)\n"
                 "  if old and terminal(old) then return 0 end\n"
                 "end\n"
                 "if redis.call('LINDEX', list, 0) ~= run then\n"
                 "  if number ~= 0 then return 0 end\n"
                 "  redis.call('DEL', list)\n"
                 "  redis.call('RPUSH', list, run)\n"
                 "end\n"
                 "local have = redis.call('LLEN', list) - 1\n"
                 "if number > have then return -1 end\n"
                 "if number == have then redis.call('RPUSH', list, payload) end\n"
                 "if ttl ~= '' then redis.call('PEXPIRE', list, ttl) end\n"
                 "if ARGV[6] ~= '' then redis.pcall('PUBLISH', ARGV[6], payload) end\n"
                 "redis.pcall('PUBLISH', key, payload)\n"
                 "return 1\n";
