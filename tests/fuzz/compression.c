/* Any bytes as a compressed body: no crash, nothing over the limit, a reason for every refusal. */
#include <stdlib.h>
#include <umbel/error.h>

#include "common/compression.h"
#include "common/str.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer out;
    const char *why = NULL;
    buffer_init(&out, 1 << 20);
    int code = compression_open(STR("gzip"), (umbel_str){(const char *)data, size}, &out, &why);
    check(code == UMBEL_OK || (why && code != UMBEL_NOT_SUPPORTED));
    check(buffer_length(&out) <= 1 << 20);
    buffer_fini(&out);
    return 0;
}
