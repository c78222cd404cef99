/* client.c: a client's life: connect, wait, flush, close. Submitting is in submit.c, futures in future.c and
 * get.c. */
#include "client/client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client/future.h"
#include "client/words.h"
#include "common/clock.h"
#include "common/co.h"

enum { TIMEOUT_DEFAULT = 30, BUFFER_DEFAULT = 64 << 20, BUFFER_LEAST = 64 << 10 };
static const double TIMEOUT_MAX = 1e8; /* three years: a sum with the clock stays exact */

void client_ref(umbel_client *client)
{
    atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
}

void client_unref(umbel_client *client)
{
    if (atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (client->opened)
        engine_fini(&client->engine);
    callbacks_fini(&client->callbacks);
    arena_fini(&client->scratch);
    fork_mark_fini(&client->mark);
    pthread_mutex_destroy(&client->lock);
    pthread_mutex_destroy(&client->scratch_lock);
    free(client);
}

void client_say(umbel_client *client, const char *text)
{
    pthread_mutex_lock(&client->lock);
    snprintf(client->said, sizeof client->said, "%s", text);
    pthread_mutex_unlock(&client->lock);
}

int client_check(umbel_client *client)
{
    if (!client)
        return UMBEL_NO_MEMORY;
    if (!fork_mark_is_ours(&client->mark))
        return UMBEL_FORKED;
    if (client->broken != UMBEL_OK)
        return client->broken;
    return atomic_load(&client->closed) ? UMBEL_CLOSED : UMBEL_OK;
}

double client_timeout(umbel_client *client, double timeout)
{
    if (engine_is_here(&client->engine) && !co_self())
        return 0;
    if (timeout < 0 || isnan(timeout))
        return client->options.timeout;
    return timeout < TIMEOUT_MAX ? timeout : TIMEOUT_MAX;
}

void client_nest(umbel_client *client, const struct nested_calls *calls, void *self)
{
    client->nested = calls;
    client->nested_self = self;
}

void client_settle(umbel_client *client, uint64_t mark, double seconds)
{
    if (client_check(client) == UMBEL_OK)
        outbox_settle(&client->engine.outbox, mark, seconds);
}

/* ---- connect ---- */

static void write_log(void *self, umbel_level level, const char *area, const char *line)
{
    umbel_client *client = self;
    char text[4352];
    snprintf(text, sizeof text, "%s: %s", area, line);
    client->options.log(client->options.log_arg, level, text);
}

static void take_options(umbel_client *client, const umbel_client_options *options)
{
    client->options = *options;
    client->options.broker = client->options.backend = NULL;
    if (!(client->options.timeout > 0))
        client->options.timeout = TIMEOUT_DEFAULT;
    if (client->options.timeout > TIMEOUT_MAX)
        client->options.timeout = TIMEOUT_MAX;
    if (client->options.buffer_bytes == 0)
        client->options.buffer_bytes = BUFFER_DEFAULT;
    if (client->options.buffer_bytes < BUFFER_LEAST)
        client->options.buffer_bytes = BUFFER_LEAST;
    client->codec = options->serializer == UMBEL_MSGPACK ? CODEC_MSGPACK : CODEC_JSON;
    client->log = (struct log){.level = UMBEL_INFO, .write = write_log, .self = client};
}

static umbel_client *new_client(const umbel_client_options *options)
{
    umbel_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    atomic_init(&client->refs, 1);
    fork_mark_init(&client->mark);
    pthread_mutex_init(&client->lock, NULL);
    pthread_mutex_init(&client->scratch_lock, NULL);
    arena_init(&client->scratch, 0);
    take_options(client, options);
    return client;
}

static const char *named_or_environment(const char *named, const char *variable)
{
    const char *value = named ? named : getenv(variable);
    return value && *value ? value : NULL;
}

static void release(void *client)
{
    client_unref(client);
}

static int open_engine(umbel_client *client, const umbel_client_options *options, struct buffer *why)
{
    struct engine_options engine = {
        .broker = named_or_environment(options->broker, "UMBEL_BROKER_URL"),
        .backend = named_or_environment(options->backend, "UMBEL_RESULT_BACKEND"),
        .buffer_bytes = client->options.buffer_bytes,
        .module = options->module,
        .log = client->options.log ? &client->log : NULL,
        .callbacks = &client->callbacks,
        .release = release,
        .owner = client,
    };
    if (!engine.broker) {
        buffer_text(why, "no broker is named: give its URL or set UMBEL_BROKER_URL");
        return UMBEL_BAD_URL;
    }
    return engine_open(&client->engine, &engine, why);
}

umbel_client *umbel_connect_with(const umbel_client_options *options)
{
    static const umbel_client_options none;
    umbel_client *client = new_client(options ? options : &none);
    if (!client)
        return NULL;
    struct buffer why;
    buffer_init(&why, OUTBOX_WHY);
    client->broken = callbacks_init(&client->callbacks, client->options.manual_callbacks);
    if (client->broken == UMBEL_OK)
        client->broken = open_engine(client, options ? options : &none, &why);
    client->opened = client->broken == UMBEL_OK;
    if (!client->opened)
        snprintf(client->broken_why, sizeof client->broken_why, "%.*s", (int)buffer_length(&why),
                 why.data ? (const char *)buffer_head(&why) : "");
    memcpy(client->said, client->broken_why, sizeof client->said);
    buffer_fini(&why);
    return client;
}

umbel_client *umbel_connect(const char *broker, const char *backend)
{
    umbel_client_options options = {.broker = broker, .backend = backend};
    return umbel_connect_with(&options);
}

/* ---- wait, flush, close ---- */

int umbel_client_wait(umbel_client *client, double timeout)
{
    int code = client_check(client);
    if (code != UMBEL_OK)
        return code;
    char why[ENGINE_WHY];
    code = engine_wait(&client->engine, client_timeout(client, timeout), why);
    if (code != UMBEL_OK)
        client_say(client, why);
    return code;
}

static int flush_for(umbel_client *client, double seconds)
{
    char why[OUTBOX_WHY], trouble[ENGINE_WHY];
    int code = outbox_flush(&client->engine.outbox, seconds, why);
    if (code == UMBEL_TIMEOUT && engine_trouble(&client->engine, trouble))
        client_say(client, trouble);
    else if (code != UMBEL_OK)
        client_say(client, why);
    return code;
}

int umbel_flush(umbel_client *client, double timeout)
{
    int code = client_check(client);
    return code == UMBEL_OK ? flush_for(client, client_timeout(client, timeout)) : code;
}

/* The background thread cannot wait for its own end, and a child has no such thread: both keep their hands
 * off. */
int umbel_close(umbel_client *client, double timeout)
{
    if (!client)
        return UMBEL_OK;
    int code = client_check(client);
    if (code == UMBEL_FORKED)
        return code;
    if (engine_is_here(&client->engine))
        return UMBEL_BAD_ARGUMENT;
    if (client->opened) {
        double seconds = client_timeout(client, timeout);
        double deadline = clock_mono() + seconds;
        code = flush_for(client, seconds);
        double left = deadline - clock_mono();
        atomic_store(&client->closed, true);
        client_ref(client); /* for the thread, if it takes longer */
        if (!engine_close(&client->engine, left > 0 ? left : 0))
            client_unref(client);
        callbacks_dispatch(&client->callbacks);
    }
    words_forget(client);
    client_unref(client);
    return code;
}

const char *umbel_client_error(umbel_client *client)
{
    if (!client)
        return umbel_strerror(UMBEL_NO_MEMORY);
    if (!fork_mark_is_ours(&client->mark))
        return umbel_strerror(UMBEL_FORKED);
    pthread_mutex_lock(&client->lock);
    words_say(client, client->said);
    pthread_mutex_unlock(&client->lock);
    return words_about(client);
}

int umbel_client_fd(umbel_client *client)
{
    return client ? client->callbacks.fd : -1;
}

int umbel_client_dispatch(umbel_client *client)
{
    if (!client || !fork_mark_is_ours(&client->mark))
        return 0;
    client_ref(client); /* what is called may close it */
    int ran = callbacks_dispatch(&client->callbacks);
    if (client->callbacks.fd >= 0 && client->opened)
        ran += engine_run_timers(&client->engine);
    client_unref(client);
    return ran;
}
