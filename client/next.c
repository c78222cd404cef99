/* next.c: reading the parts of a result, umbel_next. It decides under the future's lock (part_queue_step) and
 * waits without. Every LOOK seconds the back end is read in any case: the net under lost notices and failed
 * reads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "client/client.h"
#include "client/parts.h"
#include "client/reading.h"
#include "client/waiter.h"
#include "client/words.h"
#include "common/clock.h"

enum { SENTENCE = 512, TITLE = 200 };
static const double LOOK = 2.0;

/* ---- under the lock ---- */

static void note_end(umbel_future *future, struct part_queue *queue)
{
    struct result_view view;
    umbel_str run = STR_NONE;
    uint32_t total = 0;
    arena_reset(&queue->arena);
    if (reading_view(future, &queue->arena, &view) == UMBEL_OK && view.map)
        result_read_part(&view, &run, &total);
    part_queue_end(queue, run, total);
}

/* ---- the answers ---- */

static int give(umbel_future *future, struct part_queue *queue, struct part_item *item,
                const umbel_take *take)
{
    struct result_view view;
    arena_reset(&queue->arena);
    int code = result_read(&queue->arena, item->payload, &view);
    free(item);
    if (code != UMBEL_OK || take->kind == UMBEL_TAKE_NOTHING)
        return code;
    return reading_give(future, code, view.value, take);
}

static int say(umbel_future *future, int code, const char *what)
{
    char title[TITLE], sentence[SENTENCE];
    future_title(future, title, sizeof title);
    snprintf(sentence, sizeof sentence, "task %s %s", title, what);
    words_say(future, sentence);
    return code;
}

static int answer(umbel_future *future, enum part_step step)
{
    if (step == PART_STEP_RESTARTED)
        return say(future, UMBEL_RESTARTED, "began again: the parts read so far are superseded");
    if (step == PART_STEP_LOST)
        return say(future, UMBEL_LOST,
                   "is done, but the rest of its parts is gone: they expired, or another run's "
                   "are in their place");
    int code = atomic_load(&future->code);
    return code == UMBEL_OK ? UMBEL_EXHAUSTED : code;
}

/* ---- one look ---- */

/* A step that answers, with its item; or PART_STEP_WAIT, after a read was ordered where one is due. */
static enum part_step look(umbel_future *future, bool again, struct part_item **item)
{
    struct part_queue *queue = future->parts;
    pthread_mutex_lock(&future->lock);
    if (again) { /* whatever became of the last read */
        queue->asked = false;
        queue->behind = true;
    }
    queue->news = false;
    if (future_finished(future) && !queue->done)
        note_end(future, queue);
    enum part_step step = part_queue_step(queue);
    if (step == PART_STEP_GIVE)
        *item = part_queue_pop(queue);
    else if (step == PART_STEP_RESTARTED)
        queue->restarted = false;
    else if (step == PART_STEP_ASK)
        part_queue_asking(queue);
    pthread_mutex_unlock(&future->lock);
    if (step == PART_STEP_ASK)
        inbox_order(&future->client->engine.inbox, future, ORDER_PARTS);
    return step == PART_STEP_ASK ? PART_STEP_WAIT : step;
}

static int read_next(umbel_future *future, double seconds, const umbel_take *take)
{
    umbel_client *client = future->client;
    double deadline = clock_mono() + seconds;
    struct part_item *item = NULL;
    bool again = false;
    for (;;) {
        enum part_step step = look(future, again, &item);
        if (step == PART_STEP_GIVE)
            return give(future, future->parts, item, take);
        if (step != PART_STEP_WAIT)
            return answer(future, step);
        if (atomic_load(&client->closed))
            return UMBEL_CLOSED;
        double left = deadline - clock_mono();
        if (left <= 0)
            return future_late(future, seconds);
        int code = waiter_wait(&future, 1, 1, false, UNTIL_PART, fmin(left, LOOK));
        if (code != UMBEL_OK && code != UMBEL_TIMEOUT)
            return code == UMBEL_BUSY ? future_crowded(future) : code;
        again = code == UMBEL_TIMEOUT;
    }
}

static bool open_queue(umbel_future *future)
{
    pthread_mutex_lock(&future->lock);
    if (!future->parts)
        future->parts = part_queue_new(future);
    bool open = future->parts != NULL;
    pthread_mutex_unlock(&future->lock);
    return open;
}

int umbel_next_take(umbel_future *future, double timeout, umbel_take take)
{
    if (!future)
        return UMBEL_NO_MEMORY;
    umbel_client *client = future->client;
    if (!fork_mark_is_ours(&client->mark))
        return UMBEL_FORKED;
    double seconds = client_timeout(client, timeout);
    if (!client->engine.has_results) {
        int code = future_wait_accepted(future, seconds);
        if (code != UMBEL_OK)
            return code;
    }
    return open_queue(future) ? read_next(future, seconds, &take) : UMBEL_NO_MEMORY;
}
