/* redis_lookup.c: MGET and its answers. */
#include "broker/redis_lookup.h"

#include <stdlib.h>

#include "common/str.h"

struct redis_lookup *redis_lookup_new(const umbel_str *ids, uint32_t count, uint64_t token)
{
    size_t text = 0;
    for (uint32_t i = 0; i < count; i++)
        text += ids[i].size;
    struct redis_lookup *lookup = malloc(sizeof *lookup + count * sizeof *lookup->ids + text);
    if (!lookup)
        return NULL;
    char *at = (char *)(lookup->ids + count);
    for (uint32_t i = 0; i < count; i++) {
        lookup->ids[i] = (umbel_str){at, ids[i].size};
        if (ids[i].size)
            memcpy(at, ids[i].data, ids[i].size);
        at += ids[i].size;
    }
    lookup->token = token;
    lookup->count = count;
    return lookup;
}

void redis_lookup_write(const struct redis_lookup *lookup, struct buffer *out, umbel_str key_prefix)
{
    resp_array(out, 1 + (size_t)lookup->count);
    resp_word(out, STR("MGET"));
    for (uint32_t i = 0; i < lookup->count; i++)
        resp_pair(out, key_prefix, lookup->ids[i]);
}

void redis_lookup_answer(const struct redis_lookup *lookup, const struct resp_reply *reply,
                         const struct backend_events *events, void *self)
{
    bool good = reply && reply->kind == RESP_ARRAY && reply->count == lookup->count;
    int code = good ? UMBEL_OK : UMBEL_BACKEND_AWAY;
    if (reply && reply->kind == RESP_ERROR)
        code = UMBEL_BACKEND_REFUSED;
    for (uint32_t i = 0; i < lookup->count; i++)
        events->found(self, lookup->token, code, lookup->ids[i], good ? reply->items[i].text : STR_NONE);
}
