/* reading.h: a result map taken apart, when somebody first asks for what is in it. */
#ifndef CLIENT_READING_H
#define CLIENT_READING_H

#include <umbel/client.h>
#include "common/result.h"

struct reading {
    struct arena arena; /* all texts and values below */
    struct result_view view;
    int code;                                                   /* of taking it apart */
    bool fresh;                                                 /* it is what the payload says now */
    const char *error, *error_type, *error_message, *traceback; /* NULL: none, or not made yet */
};

void reading_free(struct reading *reading);
/* The payload changed. NULL is allowed. */
void reading_stale(struct reading *reading);
/* What a finished future holds, into the arena. */
int reading_view(const umbel_future *future, struct arena *arena, struct result_view *view);
/* The future's reading, taken apart now if need be; its lock is held. NULL only when memory is out. */
struct reading *reading_of(umbel_future *future);
/* Hands a value (NULL: null) to the caller's variable. `code` is of reading it; that, or its being unfit for
 * the variable, is answered and put into a sentence for umbel_error. */
int reading_give(umbel_future *future, int code, const umbel_value *value, const umbel_take *take);

#endif
