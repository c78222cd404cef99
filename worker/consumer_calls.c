/* consumer_calls.c: see calls.h. A call is a request without a delivery: nothing is acknowledged for it, and
 * no queue gets it back. */
#include "worker/calls.h"

#include "common/str.h"
#include "worker/consumer_path.h"
#include "worker/task_function.h"

#define MEMORY_MS 250 /* until memory that was out is asked for again */

void consumer_take_calls(struct consumer *consumer, const struct call_events *events, void *self)
{
    consumer->calls = events;
    consumer->calls_self = self;
}

/* The address travels as the header that it is in a message. */
static bool write_function(struct request *req, umbel_function *function)
{
    struct message_header *header = arena_alloc(&req->arena, sizeof *header);
    if (!header)
        return false;
    *header =
        (struct message_header){.name = STR(TASK_FUNCTION_HEADER),
                                .value = {.kind = UMBEL_INT, .as.integer = (int64_t)(intptr_t)function}};
    req->msg.extra = header;
    req->msg.extra_count = 1;
    return true;
}

static bool write_message(struct request *req, const struct call *call)
{
    struct message *msg = &req->msg;
    message_init(msg);
    msg->queue = msg->routing_key = call->queue;
    msg->content_type = str_of(codec_row(call->codec)->content_type);
    msg->id = msg->correlation_id = call->id;
    msg->task = call->task;
    msg->shadow = call->shadow;
    msg->reply_to = call->reply_to;
    msg->hard_limit = call->time_limit;
    msg->soft_limit = call->soft_time_limit;
    msg->body = call->body;
    return !call->function || write_function(req, call->function);
}

/* While deliveries wait, calls come one at a time: both get on. */
static bool has_room(const struct consumer *consumer)
{
    return consumer->phase == PHASE_WORKING && consumer->pool->ops->room(consumer->pool) > 0 &&
           (!consumer->ready.first || consumer->requests.undelivered == 0);
}

/* Memory is out, and where nothing runs no end would say that there is room. */
static bool ask_later(struct consumer *consumer)
{
    if (!uv_is_active((uv_handle_t *)&consumer->again_timer))
        uv_timer_start(&consumer->again_timer, consumer_again, MEMORY_MS, 0);
    return false;
}

bool consumer_call(struct consumer *consumer, const struct call *call)
{
    if (!has_room(consumer))
        return false;
    struct request *req = request_set_take(&consumer->requests);
    if (!req)
        return ask_later(consumer);
    if (!write_message(req, call)) {
        request_set_give(&consumer->requests, req);
        return ask_later(consumer);
    }
    req->call = call->owner;
    req->undelivered = true;
    consumer->requests.undelivered++;
    consumer->counts.received++;
    task_log_received(consumer->options.sink, &req->msg);
    consumer_admit(consumer, req);
    return true;
}

/* Its caller may go now, so it owns its bytes; what has been read of them stays where it was. Without the
 * memory to own them it goes on borrowing, and the caller is told at its end (consumer_call_ended). */
void consumer_call_leaves(struct consumer *consumer, struct request *req)
{
    struct message own;
    if (!req->call || message_copy(&req->arena, &own, &req->msg) != UMBEL_OK)
        return;
    req->msg = own;
    consumer_call_ended(consumer, req);
}

void consumer_call_ended(struct consumer *consumer, struct request *req)
{
    void *call = req->call;
    req->call = NULL;
    consumer->calls->leaves(consumer->calls_self, call);
}

void consumer_calls_end(struct consumer *consumer)
{
    const struct request_set *set = &consumer->requests;
    for (size_t i = 0; set->undelivered && i < set->count; i++)
        if (set->all[i]->call)
            consumer_call_ended(consumer, set->all[i]);
}

static bool is_plain(const struct request *req, const struct verdict *verdict, const struct outcome *outcome)
{
    return outcome && verdict->state == RESULT_SUCCESS && verdict->store && verdict->send == SEND_NOTHING &&
           !req->run && !outcome->id_told;
}

bool consumer_call_answered(struct consumer *consumer, struct request *req, const struct verdict *verdict,
                            const struct outcome *outcome)
{
    void *call = req->call;
    if (!is_plain(req, verdict, outcome) || !consumer->calls->is_private(consumer->calls_self, call)) {
        consumer_call_leaves(consumer, req);
        return false;
    }
    req->call = NULL;
    consumer->calls->answered(consumer->calls_self, call, req->job.result_codec, outcome->value);
    return true;
}

/* Deliveries and calls are first in turns. */
void consumer_room(struct consumer *consumer)
{
    bool calls = consumer->calls && consumer->phase == PHASE_WORKING;
    bool before = calls && consumer->ready.first && (consumer->calls_first = !consumer->calls_first);
    if (before)
        consumer->calls->room(consumer->calls_self);
    consumer_pump(consumer);
    if (calls && !before)
        consumer->calls->room(consumer->calls_self);
}

struct request *consumer_find(const struct consumer *consumer, umbel_str id)
{
    const struct request_set *set = &consumer->requests;
    struct request *found = request_set_find(set, id);
    for (size_t i = 0; !found && set->undelivered && i < set->count; i++)
        if (set->all[i]->undelivered && str_equal(set->all[i]->msg.id, id))
            found = set->all[i];
    return found;
}
