/* Any text as a list of URLs: no crash, and no password that was read is printed. */
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "common/url.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* A password that is long and plain enough to be told apart from the rest of the URL. */
static bool is_telling(umbel_str password, const char *text)
{
    const char *first = password.size >= 6 ? strstr(text, password.data) : NULL;
    return first && !strstr(first + 1, password.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct url urls[4];
    struct buffer safe;
    const char *why = NULL;
    arena_init(&arena, 0);
    buffer_init(&safe, 1 << 24);
    char *text = arena_copy(&arena, data, size);
    int count = url_parse_list(&arena, text, urls, 4, &why);
    check(count > 0 || why);
    url_safe(&safe, text);
    buffer_byte(&safe, '\0');
    check(!safe.failed);
    for (int i = 0; i < count; i++) {
        url_option(&urls[i], "verify");
        if (is_telling(urls[i].password, text))
            check(!strstr((char *)buffer_head(&safe), urls[i].password.data));
    }
    buffer_fini(&safe);
    arena_fini(&arena);
    return 0;
}
