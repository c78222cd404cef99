/* reply_channel.c: see reply_channel.h. The version and the variant of a UUID say nothing, so its middle is
 * left out. */
#include "common/reply_channel.h"

#include <stdio.h>
#include "common/str.h"
#include "common/uuid.h"

#define PREFIX "umbel."

void reply_channel_make(char out[REPLY_CHANNEL_SIZE])
{
    char id[UUID_SIZE];
    uuid_make(id);
    snprintf(out, REPLY_CHANNEL_SIZE, PREFIX "%.8s%s", id, id + 24);
}

bool reply_channel_is(umbel_str name)
{
    return str_starts(name, STR(PREFIX));
}
