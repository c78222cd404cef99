/* map_reduce.c: a tree of calls over a list. Each level is waited for as a whole; what fails ends it. */
#include <stdlib.h>
#include <umbel/executor.h>
#include "client/client.h"
#include "client/submit.h"
#include "common/clock.h"

/* The first that failed or is not done; NULL: all are well. */
static umbel_future **find_bad(umbel_future **futures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!umbel_done(futures[i]) || umbel_future_code(futures[i]) != UMBEL_OK)
            return &futures[i];
    return NULL;
}

static void drop(umbel_future **futures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        umbel_future_free(futures[i]);
}

/* One level: pairs become one future each, an odd one at the end goes up as it is. */
static size_t reduce_once(umbel_client *client, const char *reduce, umbel_future **futures, size_t count,
                          const umbel_submit_options *options)
{
    size_t made = 0;
    for (size_t i = 0; i + 1 < count; i += 2) {
        umbel_future *pair = umbel_submit_with(
            client, reduce, UMBEL_ARGS(umbel_result(futures[i]), umbel_result(futures[i + 1])), options);
        drop(&futures[i], 2);
        futures[made++] = pair;
    }
    if (count % 2)
        futures[made++] = futures[count - 1];
    return made;
}

static umbel_future *only(umbel_future **futures, size_t count, umbel_future **kept)
{
    umbel_future *answer = *kept;
    *kept = NULL;
    drop(futures, count);
    return answer;
}

static umbel_future *run(umbel_client *client, const char *reduce, umbel_future **futures, size_t count,
                         double timeout, const umbel_submit_options *options)
{
    double deadline = clock_mono() + client_timeout(client, timeout);
    for (;;) {
        double left = deadline - clock_mono();
        umbel_wait(futures, count, UMBEL_FIRST_EXCEPTION, left > 0 ? left : 0);
        umbel_future **bad = find_bad(futures, count);
        if (bad)
            return only(futures, count, bad);
        if (count == 1)
            return futures[0];
        count = reduce_once(client, reduce, futures, count, options);
    }
}

static umbel_future *refuse(umbel_client *client, const char *map, const umbel_submit_options *options)
{
    static const umbel_submit_options plain;
    int code = client_check(client);
    return submit_refused(
        client, map, options ? options : &plain, code == UMBEL_OK ? UMBEL_BAD_ARGUMENT : code,
        code == UMBEL_OK ? "umbel_map_reduce takes a list: of the one argument of each call" : NULL);
}

umbel_future *umbel_map_reduce_with(umbel_client *client, const char *map, const char *reduce,
                                    const umbel_value *list, double timeout,
                                    const umbel_submit_options *options)
{
    if (umbel_value_kind(list) != UMBEL_LIST)
        return refuse(client, map, options);
    size_t count = umbel_value_count(list);
    umbel_future **futures = client && count ? calloc(count, sizeof *futures) : NULL;
    if (!futures)
        return NULL;
    for (size_t i = 0; i < count; i++)
        futures[i] = umbel_submit_with(client, map, UMBEL_ARGS(umbel_value_at(list, i)), options);
    umbel_future *answer = run(client, reduce, futures, count, timeout, options);
    free(futures);
    return answer;
}
