/* submit.c: umbel_submit: a call is encoded on the caller's thread, then left in the outbox. What is wrong
 * with it is told by its future, as everything else that becomes of it. */
#include <stdio.h>
#include <string.h>
#include "client/chunk.h"
#include "client/client.h"
#include "client/future.h"
#include "client/sentence.h"
#include "client/submit.h"
#include "client/waiter.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "worker/task_function.h"

static const double CONFIRM_MARGIN = 0.05; /* the background thread speaks first: it knows the reason */

static umbel_future *unsent(umbel_client *client, umbel_future *future, const char *queue, int code,
                            const char *why)
{
    char title[160], sentence[OUTBOX_WHY];
    future_title(future, title, sizeof title);
    sentence_unsent(sentence, sizeof sentence, title, queue ? queue : "celery", code, why);
    future_unsent(future, code, sentence);
    if (code != UMBEL_FORKED)
        client_say(client, sentence);
    return future;
}

enum codec client_codec(const umbel_client *client, umbel_serializer wish)
{
    return wish == UMBEL_JSON ? CODEC_JSON : wish == UMBEL_MSGPACK ? CODEC_MSGPACK : client->codec;
}

static double patience(umbel_client *client, const umbel_submit_options *options)
{
    double wish = options->timeout > 0 ? options->timeout : client->options.timeout;
    return wish < 1e8 ? wish : 1e8;
}

static int put(umbel_client *client, umbel_future *future, struct record *record,
               const umbel_submit_options *options)
{
    double mono = clock_mono();
    record->deadline_ms = (uint64_t)((mono + patience(client, options)) * 1e3);
    future_ref(future);
    record->future = future;
    int code = outbox_put(&client->engine.outbox, record, !engine_is_here(&client->engine));
    if (code != UMBEL_OK)
        future_unref(future);
    return code;
}

enum { BODY_HERE = 512 };

enum { QUEUE_MAX = 256 + sizeof NESTED_QUEUE_SUFFIX, DEPTH_SHOWN = 32 };

/* A call out of a task stays on the task's own queue unless it names another. */
static void place_nested(const struct nested_origin *origin, umbel_submit_options *options,
                         char queue[QUEUE_MAX])
{
    umbel_str name = options->queue ? str_of(options->queue) : origin->queue;
    if (name.size > 255 || (options->queue && !origin->direct))
        return;
    snprintf(queue, QUEUE_MAX, "%.*s%s", (int)name.size, name.data,
             origin->direct ? NESTED_QUEUE_SUFFIX : "");
    options->queue = queue;
    if (origin->direct)
        options->priority = origin->depth < DEPTH_SHOWN ? origin->depth : DEPTH_SHOWN;
}

static enum codec call_codec(const umbel_client *client, const struct record_call *call,
                             const umbel_submit_options *options)
{
    return call->chunk ? call->chunk->codec : client_codec(client, options->serializer);
}

static int encode(umbel_client *client, struct record *record, const struct record_call *call,
                  const umbel_submit_options *options)
{
    struct nested_origin origin;
    umbel_submit_options here;
    char queue[QUEUE_MAX];
    bool nested = client->nested && client->nested->origin(client->nested_self, &origin);
    enum codec codec = call_codec(client, call, options);
    if (nested) {
        here = *options;
        place_nested(&origin, &here, queue);
        options = &here;
    }
    return record_fill(record, call, options, nested ? &origin : NULL, codec, client->options.buffer_bytes);
}

static int encode_and_put(umbel_client *client, umbel_future *future, const struct record_call *call,
                          const umbel_submit_options *options)
{
    struct outbox *outbox = &client->engine.outbox;
    struct record *record = outbox_record(outbox);
    if (!record)
        return UMBEL_NO_MEMORY;
    int code = encode(client, record, call, options);
    if (code == UMBEL_OK)
        code = put(client, future, record, options);
    if (code == UMBEL_OK && client->nested)
        client->nested->called(client->nested_self, outbox_mark(outbox));
    if (code != UMBEL_OK)
        outbox_spare(outbox, record);
    return code;
}

static void await_confirm(umbel_client *client, umbel_future *future, const umbel_submit_options *options)
{
    if (!engine_is_here(&client->engine))
        waiter_wait(&future, 1, 1, false, UNTIL_SETTLED, patience(client, options) + CONFIRM_MARGIN);
}

static umbel_future *new_future(umbel_client *client, const char *task, const char *id)
{
    char fresh[UUID_SIZE];
    if (!client)
        return NULL;
    if (!id)
        uuid_make(fresh);
    return future_new(client, id ? str_of(id) : (umbel_str){fresh, UUID_SIZE - 1}, str_of(task));
}

umbel_future *submit_refused(umbel_client *client, const char *task, const umbel_submit_options *options,
                             int code, const char *why)
{
    umbel_future *future = new_future(client, task, options->id);
    return future ? unsent(client, future, options->queue, code, why) : NULL;
}

bool submit_is_direct(umbel_client *client, const umbel_submit_options *options)
{
    struct nested_origin origin;
    return direct_takes(&client->engine.direct, options) &&
           !(client->nested && client->nested->origin(client->nested_self, &origin));
}

static umbel_future *put_direct(umbel_client *client, const char *task, const struct record_call *call,
                                const umbel_submit_options *options, enum codec codec,
                                const struct buffer *body, int code)
{
    umbel_str bytes = {(const char *)buffer_head(body), code == UMBEL_OK ? buffer_length(body) : 0};
    umbel_future *future =
        direct_make(client, task, call->function, call->function_name, bytes, codec, options);
    if (future && call->chunk)
        future->direct->task = STR(CHUNK_TASK);
    if (future && code == UMBEL_OK)
        code = direct_put(&client->engine.direct, future);
    return future && code != UMBEL_OK ? unsent(client, future, options->queue, code, NULL) : future;
}

static umbel_future *submit_direct(umbel_client *client, const char *task, const struct record_call *call,
                                   const umbel_submit_options *options)
{
    char here[BODY_HERE];
    struct buffer body;
    enum codec codec = call_codec(client, call, options);
    buffer_begin(&body, here, sizeof here, SIZE_MAX / 8);
    int code = record_write_body(&body, call, codec, client->options.buffer_bytes);
    umbel_future *future = put_direct(client, task, call, options, codec, &body, code);
    buffer_fini(&body);
    return future;
}

static umbel_future *submit(umbel_client *client, const char *task, const struct record_call *call,
                            const umbel_submit_options *options)
{
    int code = client_check(client);
    const char *wrong = code == UMBEL_OK ? record_check(task, options) : NULL;
    if (code == UMBEL_OK && !wrong && submit_is_direct(client, options))
        return submit_direct(client, task, call, options);

    umbel_future *future = new_future(client, task, options->id);
    if (!future)
        return NULL;
    if (code != UMBEL_OK)
        return unsent(client, future, options->queue, code,
                      code == client->broken ? client->broken_why : NULL);
    if (wrong)
        return unsent(client, future, options->queue, UMBEL_BAD_ARGUMENT, wrong);
    code = encode_and_put(client, future, call, options);
    if (code != UMBEL_OK)
        return unsent(client, future, options->queue, code, NULL);
    if (options->confirm)
        await_confirm(client, future, options);
    return future;
}

static const umbel_submit_options plain;

umbel_future *umbel_submit_with(umbel_client *client, const char *task, umbel_arguments arguments,
                                const umbel_submit_options *options)
{
    return submit(client, task, &(struct record_call){.arguments = arguments}, options ? options : &plain);
}

umbel_future *umbel_submit_chunk_with(umbel_chunk *chunk, const umbel_submit_options *options)
{
    if (!chunk)
        return NULL;
    umbel_future *future =
        submit(chunk->client, chunk->task, &(struct record_call){.chunk = chunk}, options ? options : &plain);
    chunk_empty(chunk);
    return future;
}

umbel_future *submit_function(umbel_client *client, umbel_function *function, const char *name,
                              umbel_arguments arguments, const umbel_submit_options *options)
{
    struct record_call call = {.arguments = arguments, .function = function, .function_name = name};
    const char *wrong = record_check(TASK_FUNCTION_NAME, options);
    return wrong ? submit_refused(client, TASK_FUNCTION_NAME, options, UMBEL_BAD_ARGUMENT, wrong)
                 : submit_direct(client, TASK_FUNCTION_NAME, &call, options);
}
