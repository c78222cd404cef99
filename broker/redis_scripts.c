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

const char redis_script_store[] =
    LUA_TERMINAL "local call, ttl, force = redis.pcall, ARGV[1], " LUA_FORCE "\n"
                 "local out, why = {}, ''\n"
                 "local function set(key, payload)\n"
                 "  if ttl == '' then return call('SET', key, payload) end\n"
                 "  return call('SET', key, payload, 'PX', ttl)\n"
                 "end\n"
                 "local function set_new(key, payload)\n"
                 "  if ttl == '' then return call('SET', key, payload, 'NX') end\n"
                 "  return call('SET', key, payload, 'PX', ttl, 'NX')\n"
                 "end\n"
                 "local function store(key, payload)\n"
                 "  if force then return set(key, payload) end\n"
                 "  local done = set_new(key, payload)\n"
                 "  if done then return done end\n"
                 "  local old = call('GET', key)\n"
                 "  if type(old) == 'table' then return old end\n"
                 "  if old and terminal(old) then return nil end\n"
                 "  return set(key, payload)\n"
                 "end\n"
                 "local function publish(channel, payload)\n"
                 "  local done = call('PUBLISH', channel, payload)\n"
                 "  if type(done) == 'table' then why = done.err end\n"
                 "end\n"
                 "for i = 1, #KEYS do\n"
                 "  local key, payload, channel = KEYS[i], ARGV[2 * i + 1], ARGV[2 * i + 2]\n"
                 "  local done = store(key, payload)\n"
                 "  if not done then\n"
                 "    out[i] = '0'\n"
                 "  elseif done.err then\n"
                 "    out[i], why = 'e', done.err\n"
                 "  else\n"
                 "    out[i] = '1'\n"
                 "    if channel ~= '' then publish(channel, payload) end\n"
                 "    publish(key, payload)\n"
                 "  end\n"
                 "end\n"
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
