/* reading.c: what a future's owner reads: value, error, traceback. A map that cannot be taken apart reads as
 * an error of its own (UMBEL_BAD_MESSAGE), never as success. */
#include "client/reading.h"

#include <stdlib.h>
#include <string.h>
#include "client/client.h"
#include "client/future.h"
#include "client/sentence.h"
#include "client/words.h"

enum { SENTENCE = 1024, TITLE = 320 };

static const umbel_value null;

void reading_free(struct reading *reading)
{
    if (!reading)
        return;
    arena_fini(&reading->arena);
    free(reading);
}

void reading_stale(struct reading *reading)
{
    if (reading)
        reading->fresh = false;
}

static const char *text_of(struct reading *reading, umbel_str text)
{
    return text.data ? arena_copy(&reading->arena, text.data, text.size) : NULL;
}

/* The value alone, as the pool of our own gave it. */
static int view_bare(const umbel_future *future, struct arena *arena, struct result_view *view)
{
    umbel_value *value = NULL;
    int code = UMBEL_OK;
    if (future->payload.size)
        code = codec_row(future->bare_codec)->decode(arena, future->payload, &value, NULL);
    *view = (struct result_view){
        .state = RESULT_SUCCESS, .id = str_of(future->id), .value = value ? value : &null};
    return code;
}

int reading_view(const umbel_future *future, struct arena *arena, struct result_view *view)
{
    *view = (struct result_view){.state = RESULT_PENDING};
    if (future->bare)
        return view_bare(future, arena, view);
    return future->payload.size ? result_read(arena, future->payload, view) : UMBEL_OK;
}

static void take_apart(umbel_future *future, struct reading *reading)
{
    arena_reset(&reading->arena);
    reading->error = reading->error_type = reading->error_message = reading->traceback = NULL;
    reading->code = reading_view(future, &reading->arena, &reading->view);
    if (reading->code == UMBEL_OK) {
        reading->error_type = text_of(reading, reading->view.error_type);
        reading->error_message = text_of(reading, reading->view.error_message);
        reading->traceback = text_of(reading, reading->view.traceback);
    }
    reading->fresh = true;
}

struct reading *reading_of(umbel_future *future)
{
    if (!future->reading) {
        future->reading = calloc(1, sizeof *future->reading);
        if (!future->reading)
            return NULL;
        arena_init(&future->reading->arena, 0);
    }
    if (!future->reading->fresh)
        take_apart(future, future->reading);
    return future->reading;
}

/* ---- the error, in words ---- */

static void write_sentence(umbel_future *future, struct reading *reading, char *out)
{
    char title[TITLE];
    future_title(future, title, sizeof title);
    switch (atomic_load(&future->code)) {
    case UMBEL_FAILED:
        sentence_failed(out, SENTENCE, title, reading->error_type, reading->error_message);
        return;
    case UMBEL_REVOKED:
        sentence_revoked(out, SENTENCE, title, reading->error_message);
        return;
    default:
        sentence_ended(out, SENTENCE, title, atomic_load(&future->code));
    }
}

static const char *final_error(umbel_future *future)
{
    if (future->why)
        return future->why;
    struct reading *reading = reading_of(future);
    if (!reading)
        return umbel_strerror(UMBEL_NO_MEMORY);
    if (!reading->error) {
        char sentence[SENTENCE];
        write_sentence(future, reading, sentence);
        reading->error = arena_copy(&reading->arena, sentence, strlen(sentence));
    }
    return reading->error ? reading->error : umbel_strerror(UMBEL_NO_MEMORY);
}

/* In a forked child the locks may be held by threads that did not come along. */
static bool is_ours(const umbel_future *future)
{
    return fork_mark_is_ours(&future->client->mark);
}

const char *umbel_error(umbel_future *future)
{
    if (!future)
        return umbel_strerror(UMBEL_NO_MEMORY);
    if (!future_finished(future) || atomic_load(&future->code) == UMBEL_OK)
        return words_about(future);
    if (!is_ours(future))
        return umbel_strerror(UMBEL_FORKED);
    pthread_mutex_lock(&future->lock);
    const char *error = final_error(future);
    pthread_mutex_unlock(&future->lock);
    return error;
}

static bool has_failed(umbel_future *future)
{
    if (!future)
        return false;
    int code = atomic_load(&future->code);
    return future_finished(future) && (code == UMBEL_FAILED || code == UMBEL_REVOKED) && is_ours(future);
}

const char *umbel_error_type(umbel_future *future)
{
    if (!has_failed(future))
        return NULL;
    pthread_mutex_lock(&future->lock);
    const struct reading *reading = reading_of(future);
    const char *type = reading ? reading->error_type : NULL;
    pthread_mutex_unlock(&future->lock);
    return type;
}

const char *umbel_error_message(umbel_future *future)
{
    if (!has_failed(future))
        return NULL;
    pthread_mutex_lock(&future->lock);
    const struct reading *reading = reading_of(future);
    const char *message = reading ? reading->error_message : NULL;
    pthread_mutex_unlock(&future->lock);
    return message;
}

const char *umbel_traceback(umbel_future *future)
{
    if (!has_failed(future))
        return NULL;
    pthread_mutex_lock(&future->lock);
    const struct reading *reading = reading_of(future);
    const char *traceback = reading ? reading->traceback : NULL;
    pthread_mutex_unlock(&future->lock);
    return traceback;
}

/* ---- the value ---- */

int reading_give(umbel_future *future, int code, const umbel_value *value, const umbel_take *take)
{
    char title[TITLE], sentence[SENTENCE];
    if (!value)
        value = &null;
    if (code == UMBEL_OK)
        code = value_take(value, take);
    if (code == UMBEL_OK)
        return UMBEL_OK;
    future_title(future, title, sizeof title);
    sentence_unfit(sentence, sizeof sentence, title, code, value_type_name(value),
                   value_take_name(take->kind));
    words_say(future, sentence);
    return code;
}

static const umbel_value *value_of(const struct reading *reading)
{
    enum result_state state = reading->view.state;
    bool holds = state == RESULT_SUCCESS || state == RESULT_CUSTOM || state == RESULT_STARTED;
    return reading->code == UMBEL_OK && holds ? reading->view.value : NULL;
}

const umbel_value *umbel_result(umbel_future *future)
{
    if (!future || !is_ours(future))
        return NULL;
    pthread_mutex_lock(&future->lock);
    const struct reading *reading = future->payload.size || future->bare ? reading_of(future) : NULL;
    const umbel_value *value = reading ? value_of(reading) : NULL;
    pthread_mutex_unlock(&future->lock);
    return value;
}
