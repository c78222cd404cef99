/* Any bytes as a stored result: no crash; peeking and reading agree on the state. */
#include <stdlib.h>
#include <string.h>

#include "common/result.h"
#include "common/str.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool stands_once(umbel_str text, const char *word)
{
    const char *first = memmem(text.data, text.size, word, strlen(word));
    return first && !memmem(first + 1, text.size - (size_t)(first + 1 - text.data), word, strlen(word));
}

/* Of equal keys reading takes the last, peeking the first, and escaped keys only reading knows: such a map
 * proves nothing. */
static bool is_telling(umbel_str stored)
{
    return stands_once(stored, "status") && stands_once(stored, "task_id") &&
           !memchr(stored.data, '\\', stored.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct result_view view;
    enum result_state state;
    umbel_str id, stored = {(const char *)data, size};
    arena_init(&arena, 0);
    bool peeked = result_peek(stored, &state, &id) == UMBEL_OK;
    bool was_read = result_read(&arena, stored, &view) == UMBEL_OK;
    if (peeked && was_read && is_telling(stored))
        check(view.state == state && str_equal(view.id, id));
    if (was_read && view.error_message.data)
        check(view.error_message.data[view.error_message.size] == '\0');
    arena_fini(&arena);
    return 0;
}
