/* notice.c: see notice.h. */
#include "client/notice.h"

#include "common/result_usual.h"

int notice_read(struct notice *notice, umbel_str stored)
{
    *notice = (struct notice){.state = RESULT_SUCCESS, .payload = stored};
    notice->bare = result_usual_read(stored, &notice->payload, &notice->id);
    if (notice->bare)
        return UMBEL_OK;
    notice->payload = stored;
    return result_peek(stored, &notice->state, &notice->id);
}
