/* pool.c: the pools there are. A new one is a file and a row. */
#include <string.h>
#include "worker/pool.h"
#include "worker/pool_table.h"

static const struct pool_ops *const table[] = {&pool_prefork_ops, &pool_solo_ops, &pool_threads_ops,
                                               &pool_coroutines_ops};

#define COUNT (sizeof table / sizeof *table)

int pool_open(struct pool **out, const char *name, struct loop *loop, const struct pool_options *options,
              const struct pool_events *events, void *self, struct buffer *why)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(table[i]->name, name) != 0)
            continue;
        int code = table[i]->open(out, loop, options, events, self);
        if (code)
            buffer_format(why, "pool %s cannot be opened: %s", name, umbel_strerror(code));
        return code;
    }
    buffer_format(why, "there is no pool called %s; there are", name);
    for (size_t i = 0; i < COUNT; i++)
        buffer_format(why, "%s %s", i ? "," : "", table[i]->name);
    return UMBEL_NOT_FOUND;
}
