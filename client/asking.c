/* asking.c: the small questions about a future, and submit and get in one. */
#include <umbel/executor.h>

#include "client/client.h"
#include "client/future.h"

bool umbel_running(umbel_future *future)
{
    return future && !future_finished(future) && umbel_future_state(future) == UMBEL_STATE_STARTED;
}

bool umbel_cancelled(umbel_future *future)
{
    int code = umbel_future_code(future);
    return code == UMBEL_CANCELLED || code == UMBEL_REVOKED;
}

int umbel_exception(umbel_future *future, double timeout)
{
    return umbel_get_take(future, timeout, umbel_take_none(NULL));
}

int umbel_apply_take(umbel_client *client, const char *task, umbel_arguments arguments,
                     const umbel_submit_options *options, double timeout, umbel_take take)
{
    if (client && take.kind >= UMBEL_TAKE_TEXT) { /* what is borrowed from the future would go with it */
        client_say(client, "umbel_apply reads numbers and truth values; submit and get for texts and lists");
        return UMBEL_BAD_ARGUMENT;
    }
    umbel_future *future = umbel_submit_with(client, task, arguments, options);
    int code = umbel_get_take(future, timeout, take);
    if (future && code != UMBEL_OK && code != UMBEL_FORKED)
        client_say(client, umbel_error(future));
    umbel_future_free(future);
    return code;
}
