/* get.c: asking a future: is it done, what is the result; and giving it back. */
#include "client/client.h"
#include "client/direct.h"
#include "client/future.h"
#include "client/reading.h"
#include "client/sentence.h"
#include "client/waiter.h"
#include "client/words.h"

enum { SENTENCE = 512, TITLE = 200 };

umbel_future *umbel_future_from_id(umbel_client *client, const char *id)
{
    umbel_str key = str_of(id ? id : "");
    umbel_future *future = client ? future_new(client, key, STR_NONE) : NULL;
    if (!future)
        return NULL;
    int code = client_check(client);
    if (code == UMBEL_OK && (key.size == 0 || key.size > 255))
        code = UMBEL_BAD_ARGUMENT;
    if (code != UMBEL_OK) {
        future_unsent(future, code,
                      code == UMBEL_BAD_ARGUMENT ? "an id is 1 to 255 bytes" : umbel_strerror(code));
        return future;
    }
    future_accepted(future);
    inbox_order(&client->engine.inbox, future, ORDER_ADOPT);
    return future;
}

/* ---- waiting ---- */

int future_late(umbel_future *future, double seconds)
{
    char title[TITLE], sentence[SENTENCE], trouble[ENGINE_WHY];
    future_title(future, title, sizeof title);
    bool away = engine_trouble(&future->client->engine, trouble);
    sentence_late(sentence, sizeof sentence, title, umbel_future_state(future), seconds,
                  away ? trouble : NULL);
    words_say(future, sentence);
    return UMBEL_TIMEOUT;
}

int future_crowded(umbel_future *future)
{
    umbel_client *client = future->client;
    char sentence[SENTENCE];
    client->nested->explain(client->nested_self, sentence, sizeof sentence);
    words_say(future, sentence);
    client_say(client, sentence);
    return UMBEL_BUSY;
}

/* Without a backend the most that can be known is whether the broker has it. */
int future_wait_accepted(umbel_future *future, double seconds)
{
    int code = waiter_wait(&future, 1, 1, false, UNTIL_SETTLED, seconds);
    if (code != UMBEL_OK)
        return future_late(future, seconds);
    if (future_finished(future))
        return UMBEL_OK;
    words_say(future,
              "results cannot be had: no result backend is named; give its URL to umbel_connect or set "
              "UMBEL_RESULT_BACKEND");
    return UMBEL_BAD_URL;
}

static int wait_until_finished(umbel_future *future, double timeout)
{
    umbel_client *client = future->client;
    if (!fork_mark_is_ours(&client->mark))
        return UMBEL_FORKED;
    if (future_finished(future))
        return UMBEL_OK;
    double seconds = client_timeout(client, timeout);
    if (!client->engine.has_results)
        return future_wait_accepted(future, seconds);
    if (seconds > 0 && direct_look(&client->engine.direct, future))
        return UMBEL_OK;
    int code = waiter_wait(&future, 1, 1, false, UNTIL_FINISHED, seconds);
    if (code == UMBEL_BUSY)
        return future_crowded(future);
    return code == UMBEL_TIMEOUT ? future_late(future, seconds) : code;
}

/* ---- reading the result into a variable ---- */

static bool is_number(umbel_take_kind kind)
{
    return kind >= UMBEL_TAKE_BOOL && kind <= UMBEL_TAKE_DOUBLE;
}

/* Nothing of a number is borrowed, so it needs no memory that lasts. */
static int take_number(umbel_future *future, const umbel_take *take)
{
    umbel_client *client = future->client;
    struct result_view view;
    pthread_mutex_lock(&client->scratch_lock);
    int code = reading_view(future, &client->scratch, &view);
    if (code == UMBEL_OK)
        code = value_take(view.value, take);
    arena_reset(&client->scratch);
    pthread_mutex_unlock(&client->scratch_lock);
    return code;
}

static int take_lasting(umbel_future *future, const umbel_take *take)
{
    pthread_mutex_lock(&future->lock);
    const struct reading *reading = reading_of(future);
    int code = reading ? reading->code : UMBEL_NO_MEMORY;
    const umbel_value *value = reading ? reading->view.value : NULL;
    pthread_mutex_unlock(&future->lock);
    return reading_give(future, code, value, take);
}

int umbel_get_take(umbel_future *future, double timeout, umbel_take take)
{
    if (!future)
        return UMBEL_NO_MEMORY;
    words_forget(future);
    int code = wait_until_finished(future, timeout);
    if (code == UMBEL_OK)
        code = atomic_load(&future->code);
    if (code != UMBEL_OK || take.kind == UMBEL_TAKE_NOTHING)
        return code;
    if (is_number(take.kind) && future->payload.size && take_number(future, &take) == UMBEL_OK)
        return UMBEL_OK;
    return take_lasting(future, &take);
}

/* ---- asking without waiting ---- */

bool umbel_done(umbel_future *future)
{
    return !future || future_finished(future);
}

umbel_state umbel_future_state(umbel_future *future)
{
    return future ? (umbel_state)atomic_load(&future->state) : UMBEL_STATE_UNSENT;
}

int umbel_future_code(umbel_future *future)
{
    if (!future)
        return UMBEL_NO_MEMORY;
    return future_finished(future) ? atomic_load(&future->code) : UMBEL_OK;
}

/* Whoever has the id may ask for the result with it: now there has to be one. */
static void tell_id(umbel_future *future)
{
    if (fork_mark_is_ours(&future->client->mark) && !atomic_exchange(&future->direct->told, true))
        inbox_order(&future->client->engine.inbox, future, ORDER_TELL);
}

const char *umbel_future_id(umbel_future *future)
{
    if (future && future->direct && !atomic_load(&future->direct->told))
        tell_id(future);
    return future ? future->id : "";
}

int umbel_on_done(umbel_future *future, void (*call)(umbel_future *future, void *arg), void *arg)
{
    if (!future)
        return UMBEL_NO_MEMORY;
    if (!fork_mark_is_ours(&future->client->mark))
        return UMBEL_FORKED;
    pthread_mutex_lock(&future->lock);
    bool done = future_finished(future);
    int code = done ? UMBEL_OK : callback_add(&future->callbacks, call, arg);
    pthread_mutex_unlock(&future->lock);
    if (done)
        call(future, arg);
    return code;
}

int umbel_on_progress(umbel_future *future, void (*call)(umbel_future *future, void *arg), void *arg)
{
    if (!future)
        return UMBEL_NO_MEMORY;
    if (!fork_mark_is_ours(&future->client->mark))
        return UMBEL_FORKED;
    pthread_mutex_lock(&future->lock);
    int code = future_finished(future) ? UMBEL_OK : callback_add(&future->watchers, call, arg);
    pthread_mutex_unlock(&future->lock);
    return code;
}

int umbel_wait(umbel_future *const *futures, size_t count, umbel_wait_mode mode, double timeout)
{
    umbel_future *any = NULL;
    for (size_t i = 0; i < count && !any; i++)
        any = futures[i];
    if (!any)
        return UMBEL_OK;
    if (!fork_mark_is_ours(&any->client->mark))
        return UMBEL_FORKED;
    size_t need = mode == UMBEL_FIRST_COMPLETED ? 1 : count;
    int code = waiter_wait(futures, count, need, mode == UMBEL_FIRST_EXCEPTION, UNTIL_FINISHED,
                           client_timeout(any->client, timeout));
    return code == UMBEL_BUSY ? future_crowded(any) : code;
}

/* ---- giving back ---- */

static int give_back(umbel_future *future, int orders)
{
    umbel_client *client = future->client;
    if (!fork_mark_is_ours(&client->mark))
        return UMBEL_FORKED; /* the child's copy is left alone: its locks may be held by a thread that is not
                                here */
    if (!future_finished(future))
        orders |= ORDER_RELEASE;
    atomic_store(&future->abandoned, true);
    if (orders && client->opened)
        inbox_order(&client->engine.inbox, future, orders);
    int code = client_check(client);
    words_forget(future);
    future_unref(future);
    return code;
}

void umbel_future_free(umbel_future *future)
{
    if (future)
        give_back(future, 0);
}

int umbel_forget(umbel_future *future)
{
    return future ? give_back(future, ORDER_FORGET) : UMBEL_NO_MEMORY;
}
