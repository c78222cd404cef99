/* completed.c: many futures: one by one as they are done, or all together. */
#include <umbel/executor.h>

#include <stdlib.h>
#include "client/client.h"
#include "client/future.h"
#include "client/waiter.h"
#include "common/clock.h"

struct umbel_completed {
    struct waiter waiter;
    umbel_client *client; /* counted; NULL when there is no future */
    double deadline;
    size_t count, given;
    struct waiter_node nodes[];
};

umbel_completed *umbel_as_completed(umbel_future *const *futures, size_t count, double timeout)
{
    umbel_completed *completed = calloc(1, sizeof *completed + count * sizeof *completed->nodes);
    if (!completed)
        return NULL;
    waiter_gather(&completed->waiter);
    completed->count = count;
    for (size_t i = 0; i < count && !completed->client; i++)
        completed->client = futures[i] ? futures[i]->client : NULL;
    double seconds = completed->client ? client_timeout(completed->client, timeout) : 0;
    completed->deadline = clock_mono() + seconds;
    if (completed->client)
        client_ref(completed->client);
    if (completed->client && !fork_mark_is_ours(&completed->client->mark))
        return completed; /* umbel_completed_next says so */
    for (size_t i = 0; i < count; i++) {
        if (futures[i])
            future_ref(futures[i]);
        waiter_gather_add(&completed->waiter, &completed->nodes[i], futures[i]);
    }
    return completed;
}

int umbel_completed_next(umbel_completed *completed, umbel_future **future)
{
    if (!completed)
        return UMBEL_NO_MEMORY;
    if (completed->client && !fork_mark_is_ours(&completed->client->mark))
        return UMBEL_FORKED;
    if (completed->given == completed->count)
        return UMBEL_EXHAUSTED;
    struct waiter_node *node;
    int code = waiter_gather_next(&completed->waiter, completed->client, completed->deadline, &node);
    if (code != UMBEL_OK)
        return code;
    completed->given++;
    *future = node->future;
    return UMBEL_OK;
}

/* In the child of a fork the futures' locks may be held by a thread that is not there: its copy is left
 * alone. */
void umbel_completed_free(umbel_completed *completed)
{
    if (!completed || (completed->client && !fork_mark_is_ours(&completed->client->mark)))
        return;
    for (size_t i = 0; i < completed->count; i++) {
        waiter_gather_drop(&completed->nodes[i]);
        future_unref(completed->nodes[i].future);
    }
    waiter_gather_end(&completed->waiter);
    if (completed->client)
        client_unref(completed->client);
    free(completed);
}

int umbel_gather(umbel_future *const *futures, size_t count, bool first_error_wins, double timeout)
{
    int code =
        umbel_wait(futures, count, first_error_wins ? UMBEL_FIRST_EXCEPTION : UMBEL_ALL_COMPLETED, timeout);
    if (code != UMBEL_OK)
        return code;
    for (size_t i = 0; i < count; i++) {
        code = umbel_future_code(futures[i]);
        if (code != UMBEL_OK)
            return code;
    }
    return UMBEL_OK;
}
