/* future.c: the life of a future and what happens to it. Reading it is in reading.c, waiting in waiter.c.
 *
 * Nothing here blocks for longer than a lock that is held for a few instructions. What fails is malloc only:
 * then a result that came is kept out and the future is done with UMBEL_NO_MEMORY rather than never. */
#include "client/future.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client/callback.h"
#include "client/client.h"
#include "client/direct.h"
#include "client/parts.h"
#include "client/reading.h"
#include "client/waiter.h"
#include "common/uuid.h"

/* Id and name lie behind one another, in the future itself where they fit. */
static bool keep_text(umbel_future *future, umbel_str id, umbel_str name)
{
    size_t size = id.size + name.size + 2;
    char *text = size <= FUTURE_TEXT ? future->text_here : malloc(size);
    if (!text)
        return false;
    future->id = text;
    memcpy(text, id.data, id.size);
    text[id.size] = '\0';
    text += id.size + 1;
    future->name = text;
    if (name.size)
        memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    return true;
}

static umbel_future *make(umbel_client *client, umbel_str id, umbel_str name, size_t behind)
{
    umbel_future *future = malloc(sizeof *future + behind);
    if (!future)
        return NULL;
    memset(future, 0, offsetof(umbel_future, text_here));
    if (!keep_text(future, id, name)) {
        free(future);
        return NULL;
    }
    client_ref(client);
    future->client = client;
    atomic_init(&future->refs, 1);
    atomic_init(&future->state, UMBEL_STATE_SENDING);
    pthread_mutex_init(&future->lock, NULL);
    link_init(&future->link);
    return future;
}

umbel_future *future_new(umbel_client *client, umbel_str id, umbel_str name)
{
    return make(client, id, name, 0);
}

umbel_future *future_new_direct(umbel_client *client, umbel_str name, size_t room)
{
    char id[UUID_SIZE];
    uuid_make(id);
    umbel_future *future =
        make(client, (umbel_str){id, UUID_SIZE - 1}, name, sizeof(struct direct_call) + room);
    if (!future)
        return NULL;
    struct direct_call *call = future->direct = (struct direct_call *)(future + 1);
    call->future = future;
    call->left = false;
    call->size = room;
    atomic_init(&call->told, false);
    link_init(&call->given);
    atomic_init(&future->state, UMBEL_STATE_ACCEPTED);
    return future;
}

void future_ref(umbel_future *future)
{
    atomic_fetch_add_explicit(&future->refs, 1, memory_order_relaxed);
}

/* What is left of text_here; NULL when it is too little. */
static char *slack(umbel_future *future, size_t size)
{
    size_t used = future->id == future->text_here
                      ? (size_t)(future->name - future->text_here) + strlen(future->name) + 1
                      : 0;
    return size && size <= FUTURE_TEXT - used ? future->text_here + used : NULL;
}

static bool is_within(const umbel_future *future, const char *data)
{
    return (uintptr_t)data - (uintptr_t)future->text_here < FUTURE_TEXT;
}

/* What was read of it is not true any more. */
static void drop_payload(umbel_future *future)
{
    const char *data = future->payload.data;
    if (!is_within(future, data) && !(future->direct && data == future->direct->room))
        free((char *)(uintptr_t)data);
    future->payload = STR_NONE;
    reading_stale(future->reading);
}

void future_unref(umbel_future *future)
{
    if (!future || atomic_fetch_sub_explicit(&future->refs, 1, memory_order_acq_rel) > 1)
        return;
    assert(!future->waiters && "a future was freed while a thread waits for it");
    umbel_client *client = future->client;
    callback_free_list(future->callbacks);
    callback_free_list(future->watchers);
    part_queue_free(future->parts);
    drop_payload(future);
    reading_free(future->reading);
    free(future->why);
    if (future->id != future->text_here)
        free((char *)(uintptr_t)future->id);
    pthread_mutex_destroy(&future->lock);
    free(future);
    client_unref(client);
}

void future_title(const umbel_future *future, char *out, size_t size)
{
    snprintf(out, size, "%s[%s]", future->name, future->id);
}

static bool somebody_waits(const umbel_future *future)
{
    return future->waiters || future->callbacks;
}

/* The last step of every end: what was written before is final. */
static bool finish(umbel_future *future, umbel_state state, int code)
{
    atomic_store(&future->state, (int)state);
    atomic_store(&future->code, code);
    atomic_store_explicit(&future->finished, true, memory_order_release);
    return somebody_waits(future);
}

bool future_accepted(umbel_future *future)
{
    bool waited = false;
    pthread_mutex_lock(&future->lock);
    if (atomic_load(&future->state) == UMBEL_STATE_SENDING) {
        atomic_store(&future->state, UMBEL_STATE_ACCEPTED);
        waited = future->waiters != NULL;
    }
    pthread_mutex_unlock(&future->lock);
    return waited;
}

bool future_unsent(umbel_future *future, int code, const char *why)
{
    bool waited = false;
    pthread_mutex_lock(&future->lock);
    if (!future_finished(future)) {
        future->why = strdup(why);
        waited = finish(future, UMBEL_STATE_UNSENT, code);
    }
    pthread_mutex_unlock(&future->lock);
    return waited;
}

/* In `room`, else in what is left of the future, else in memory of its own. */
static int keep_payload(umbel_future *future, umbel_str payload, char *room)
{
    drop_payload(future);
    char *copy = room ? room : slack(future, payload.size);
    if (!copy && !(copy = malloc(payload.size + 1)))
        return UMBEL_NO_MEMORY;
    memcpy(copy, payload.data, payload.size);
    future->payload = (umbel_str){copy, payload.size};
    return UMBEL_OK;
}

struct ending {
    umbel_state state;
    int code;
};

/* What a stored state means to who waits. */
static struct ending ending_of(enum result_state state)
{
    switch (state) {
    case RESULT_SUCCESS:
        return (struct ending){UMBEL_STATE_SUCCEEDED, UMBEL_OK};
    case RESULT_FAILURE:
        return (struct ending){UMBEL_STATE_FAILED, UMBEL_FAILED};
    case RESULT_REVOKED:
        return (struct ending){UMBEL_STATE_REVOKED, UMBEL_REVOKED};
    case RESULT_RETRY:
        return (struct ending){UMBEL_STATE_RETRYING, UMBEL_OK};
    case RESULT_STARTED:
    case RESULT_CUSTOM:
        return (struct ending){UMBEL_STATE_STARTED, UMBEL_OK};
    case RESULT_PART:
    case RESULT_PENDING:
        break;
    }
    return (struct ending){UMBEL_STATE_ACCEPTED, UMBEL_OK};
}

/* True: somebody watches. */
static bool note_progress(umbel_future *future, enum result_state state)
{
    if (state == RESULT_CUSTOM && future->watchers)
        future->progressed = true;
    return future->progressed;
}

bool future_answered(umbel_future *future, enum result_state state, umbel_str payload)
{
    bool waited = false;
    struct ending ending = ending_of(state);
    pthread_mutex_lock(&future->lock);
    if (!future_finished(future) && state != RESULT_PENDING) {
        int code = keep_payload(future, payload, NULL);
        if (code != UMBEL_OK)
            waited = finish(future, UMBEL_STATE_FAILED, code);
        else if (result_terminal(state))
            waited = finish(future, ending.state, ending.code);
        else
            waited =
                atomic_exchange(&future->state, (int)ending.state) == UMBEL_STATE_SENDING && future->waiters;
        waited |= note_progress(future, state);
    }
    pthread_mutex_unlock(&future->lock);
    return waited;
}

/* Null needs no memory. */
static int keep_value(umbel_future *future, enum codec codec, umbel_str value, char *room)
{
    bool null = value.size <= 4 && (str_equal(value, STR("null")) || str_equal(value, STR("\xc0")));
    int code = UMBEL_OK;
    if (null || !value.size)
        drop_payload(future);
    else
        code = keep_payload(future, value, room);
    future->bare = code == UMBEL_OK;
    future->bare_codec = codec;
    return code;
}

static bool succeed(umbel_future *future, enum codec codec, umbel_str value, char *room)
{
    bool waited = false;
    pthread_mutex_lock(&future->lock);
    if (!future_finished(future)) {
        int code = keep_value(future, codec, value, room);
        waited = finish(future, code == UMBEL_OK ? UMBEL_STATE_SUCCEEDED : UMBEL_STATE_FAILED, code);
        waited |= future->progressed;
    }
    pthread_mutex_unlock(&future->lock);
    return waited;
}

bool future_succeeded(umbel_future *future, enum codec codec, umbel_str value)
{
    return succeed(future, codec, value, NULL);
}

/* Where the call was there is room again. */
bool future_returned(umbel_future *future, enum codec codec, umbel_str value)
{
    struct direct_call *call = future->direct;
    return succeed(future, codec, value, value.size <= call->size ? call->room : NULL);
}

void future_begun(umbel_future *future)
{
    int accepted = UMBEL_STATE_ACCEPTED;
    atomic_compare_exchange_strong(&future->state, &accepted, (int)UMBEL_STATE_STARTED);
}

bool future_ignored(umbel_future *future)
{
    bool waited = false;
    pthread_mutex_lock(&future->lock);
    if (!future_finished(future))
        waited = finish(future, UMBEL_STATE_SUCCEEDED, UMBEL_OK);
    pthread_mutex_unlock(&future->lock);
    return waited;
}

void future_started(umbel_future *future)
{
    pthread_mutex_lock(&future->lock);
    if (!future_finished(future) && atomic_load(&future->state) != UMBEL_STATE_SENDING)
        atomic_store(&future->state, UMBEL_STATE_STARTED);
    pthread_mutex_unlock(&future->lock);
}

int future_cancelled(umbel_future *future, bool pending_only)
{
    int code = UMBEL_OK;
    pthread_mutex_lock(&future->lock);
    if (future_finished(future))
        code = UMBEL_ALREADY_DONE;
    else if (pending_only && atomic_load(&future->state) == UMBEL_STATE_STARTED)
        code = UMBEL_BUSY;
    else
        finish(future, UMBEL_STATE_REVOKED, UMBEL_CANCELLED);
    pthread_mutex_unlock(&future->lock);
    return code;
}

bool future_closed(umbel_future *future)
{
    bool waited = false;
    pthread_mutex_lock(&future->lock);
    umbel_state state = (umbel_state)atomic_load(&future->state);
    if (!future_finished(future))
        waited = finish(future, state == UMBEL_STATE_SENDING ? UMBEL_STATE_UNSENT : state, UMBEL_CLOSED);
    pthread_mutex_unlock(&future->lock);
    return waited;
}

struct callback *future_announce(umbel_future *future)
{
    struct callback *list = NULL;
    pthread_mutex_lock(&future->lock);
    waiter_fire(future);
    if (future_finished(future)) {
        list = future->callbacks;
        future->callbacks = NULL;
    } else if (future->progressed) {
        list = callback_copy(future->watchers);
    }
    future->progressed = false;
    pthread_mutex_unlock(&future->lock);
    return list;
}
