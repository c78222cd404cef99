/* result.h: what the backend keeps under a task's id: Celery's result map.
 *
 * `{"status", "result", "traceback", "children", "date_done", "task_id"}` (celery.backends.base, 5.2.6), in JSON or msgpack.
 * The result value is spliced in as the child encoded it, never decoded on the way. */
#ifndef COMMON_RESULT_H
#define COMMON_RESULT_H

#include "common/codec.h"

enum result_state { RESULT_PENDING, RESULT_STARTED, RESULT_RETRY, RESULT_PART, RESULT_CUSTOM, RESULT_SUCCESS, RESULT_FAILURE, RESULT_REVOKED };

static inline bool result_terminal(enum result_state state)
{
    return state >= RESULT_SUCCESS;
}
const char *result_state_name(enum result_state state);

struct result_parts {
    umbel_str id;
    enum result_state state;
    umbel_str custom;    /* name of a RESULT_CUSTOM state, e.g. "PROGRESS" */
    umbel_str value;     /* encoded bytes in `codec`; empty = null */
    umbel_str traceback; /* text; empty = null */
    umbel_str group, parent_id;
    double done_at; /* seconds since the epoch; 0 = null */
    /* A run that gave partial results. Of RESULT_PART: which one this is, from 0; else how many there are. */
    umbel_str run; /* empty = none: then nothing of this is written */
    uint32_t part;
};
/* Appends the map. UMBEL_OK or UMBEL_NO_MEMORY. */
int result_write(enum codec codec, struct buffer *out, const struct result_parts *parts);
/* Appends {"exc_type", "exc_message": [message], "exc_module"}. `type` may be qualified ("mymodule.MyError"); a bare
 * Python builtin gets "builtins", Celery's own types their modules, any other "umbel.exceptions". */
int result_write_error(enum codec codec, struct buffer *out, umbel_str type, umbel_str message);

struct result_view {
    enum result_state state;
    umbel_str id;
    umbel_str custom;
    const umbel_value *value;
    umbel_str error_type, error_module, error_message, traceback;
    const umbel_value *map; /* all of it */
};
/* Run and number of a part, or run and count of the parts that a result has; false: it has none. */
bool result_read_part(const struct result_view *view, umbel_str *run, uint32_t *part);
/* Only state and id, without decoding the value: cheap enough for every notice. UMBEL_OK or UMBEL_BAD_MESSAGE, the
 * latter also for an id that JSON has to escape (it is no ASCII): result_read decodes that. `id` is borrowed from `stored`. */
int result_peek(umbel_str stored, enum result_state *state, umbel_str *id);
/* Everything, into the arena. */
int result_read(struct arena *arena, umbel_str stored, struct result_view *view);

#endif
