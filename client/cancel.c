/* cancel.c: taking calls back, one or all, and the end of an executor.
 *
 * A cancelled future is done at once, on the caller's thread; what that means to the message and to whoever
 * runs it is the background thread's business (inbox.c, outbox.c). */
#include <umbel/executor.h>

#include "client/client.h"
#include "client/future.h"
#include "client/sentence.h"
#include "client/words.h"
#include "common/clock.h"

static int explain(umbel_future *future, int code)
{
    char title[160], sentence[512];
    if (code != UMBEL_BUSY)
        return code;
    future_title(future, title, sizeof title);
    sentence_runs(sentence, sizeof sentence, title);
    words_say(future, sentence);
    return code;
}

static int cancel(umbel_future *future, bool pending_only)
{
    if (!future)
        return UMBEL_NO_MEMORY;
    umbel_client *client = future->client;
    if (!fork_mark_is_ours(&client->mark))
        return UMBEL_FORKED;
    int code = future_cancelled(future, pending_only);
    if (code == UMBEL_OK)
        inbox_order(&client->engine.inbox, future, ORDER_CANCEL | (pending_only ? 0 : ORDER_TERMINATE));
    return code;
}

int umbel_cancel(umbel_future *future)
{
    return cancel(future, false);
}

int future_take_back(umbel_future *future)
{
    return cancel(future, true);
}

int umbel_cancel_pending(umbel_future *future)
{
    return explain(future, cancel(future, true));
}

/* ---- all ---- */

int umbel_stop_submitting(umbel_client *client)
{
    int code = client_check(client);
    if (code == UMBEL_OK)
        engine_shut(&client->engine);
    return code;
}

static int drain(umbel_client *client, double seconds)
{
    int code = engine_drain(&client->engine, seconds);
    if (code == UMBEL_TIMEOUT)
        client_say(client, "calls were still outstanding when the time allowed ran out");
    return code;
}

int umbel_drain(umbel_client *client, double timeout)
{
    int code = client_check(client);
    return code == UMBEL_OK ? drain(client, client_timeout(client, timeout)) : code;
}

static int shut_down(umbel_client *client, enum engine_cancels cancels, double timeout)
{
    int code = umbel_stop_submitting(client);
    if (code != UMBEL_OK)
        return code;
    if (cancels != CANCEL_NOTHING)
        engine_cancel(&client->engine, cancels);
    return timeout == 0 ? UMBEL_OK : drain(client, client_timeout(client, timeout));
}

int umbel_shutdown(umbel_client *client, bool cancel_pending, double timeout)
{
    return shut_down(client, cancel_pending ? CANCEL_PENDING : CANCEL_NOTHING, timeout);
}

int umbel_terminate(umbel_client *client, double timeout)
{
    return shut_down(client, CANCEL_ALL, timeout);
}
