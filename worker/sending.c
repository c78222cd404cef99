/* sending.c: see sending.h. A copy goes to a queue by name, whatever exchange brought the original:
 * RabbitMQ's record of dead letters is left behind, because with it the broker may take the copy for a loop
 * and drop it. */
#include "worker/sending.h"

#include <math.h>
#include <string.h>
#include "common/clock.h"
#include "common/str.h"

#define DEAD_SUFFIX ".dead"
#define BARE_TEXT 255u

static bool is_death_record(umbel_str name)
{
    return str_equal(name, STR("x-death")) || str_starts(name, STR("x-first-death-")) ||
           str_starts(name, STR("x-last-death-"));
}

static int strip_death_records(struct arena *arena, struct message *msg)
{
    size_t kept = 0;
    for (size_t i = 0; i < msg->extra_count; i++)
        kept += !is_death_record(msg->extra[i].name);
    if (kept == msg->extra_count)
        return UMBEL_OK;
    struct message_header *extra = arena_alloc(arena, (kept + 1) * sizeof *extra);
    if (!extra)
        return UMBEL_NO_MEMORY;
    size_t at = 0;
    for (size_t i = 0; i < msg->extra_count; i++)
        if (!is_death_record(msg->extra[i].name))
            extra[at++] = msg->extra[i];
    msg->extra = extra;
    msg->extra_count = kept;
    return UMBEL_OK;
}

static int set_text(struct request *req, const char *name, umbel_str text)
{
    umbel_value value = {.kind = UMBEL_STRING, .as.str = text};
    return message_set_extra(&req->arena, &req->parcel.msg, str_of(name), &value);
}

static umbel_str joined(struct arena *arena, umbel_str a, umbel_str b, umbel_str c)
{
    char *text = arena_alloc(arena, a.size + b.size + c.size + 1);
    if (!text)
        return STR_NONE;
    if (a.size)
        memcpy(text, a.data, a.size);
    if (b.size)
        memcpy(text + a.size, b.data, b.size);
    if (c.size)
        memcpy(text + a.size + b.size, c.data, c.size);
    text[a.size + b.size + c.size] = '\0';
    return (umbel_str){text, a.size + b.size + c.size};
}

static umbel_str cut(umbel_str text, size_t most)
{
    return (umbel_str){text.data, text.size < most ? text.size : most};
}

/* Nothing that could be too long for a frame but the body, which has frames of its own. */
static void strip(struct message *copy, const struct message *original)
{
    message_init(copy);
    copy->body = original->body;
    copy->content_type = original->content_type;
    copy->content_encoding = original->content_encoding;
    copy->task = cut(original->task, BARE_TEXT);
    copy->id = cut(original->id, BARE_TEXT);
    copy->republished = request_flagged(original);
}

static int write_parked(struct request *req, const struct verdict *verdict,
                        const struct sending_context *context)
{
    struct message *copy = &req->parcel.msg;
    char when[CLOCK_ISO_SIZE];
    if (verdict->bare)
        strip(copy, &req->msg);
    clock_iso(when, context->now, true);
    umbel_str at = arena_str(&req->arena, str_of(when));
    umbel_str error = joined(&req->arena, verdict->error_type, STR(": "), verdict->error_message);
    if (verdict->bare)
        error = cut(error, BARE_TEXT);
    copy->queue = joined(&req->arena, req->msg.queue, STR(DEAD_SUFFIX), STR_NONE);
    copy->expiration_ms = -1; /* it is to be looked at by somebody, whenever that is */
    copy->deaths = req->msg.deaths + req->deaths;
    req->parcel.flags |= PUBLISH_CREATE_QUEUE;
    if (!copy->queue.data || !error.data || !at.data)
        return UMBEL_NO_MEMORY;
    int code = set_text(req, "umbel-reason", str_of(verdict->reason));
    if (code == UMBEL_OK)
        code = set_text(req, "umbel-error", error);
    if (code == UMBEL_OK)
        code = set_text(req, "umbel-queue", req->msg.queue);
    if (code == UMBEL_OK)
        code = set_text(req, "umbel-dead-at", at);
    return code == UMBEL_OK ? set_text(req, "umbel-worker", str_of(context->worker_name)) : code;
}

static int write_retried(struct request *req, const struct verdict *verdict,
                         const struct sending_context *context)
{
    struct message *copy = &req->parcel.msg;
    copy->retries = req->msg.retries + 1;
    copy->deaths = req->msg.deaths + req->deaths;
    copy->eta = STR_NONE;
    if (verdict->delay <= 0)
        return UMBEL_OK;
    char when[CLOCK_ISO_SIZE];
    clock_iso(when, context->now + verdict->delay, true);
    copy->eta = arena_str(&req->arena, str_of(when));
    return copy->eta.data ? UMBEL_OK : UMBEL_NO_MEMORY;
}

int sending_write(struct request *req, const struct verdict *verdict, const struct sending_context *context)
{
    struct message *copy = &req->parcel.msg;
    req->parcel = (struct parcel){.msg = req->msg, .owner = req, .bare = verdict->bare};
    copy->exchange = copy->routing_key = STR_NONE;
    copy->republished = request_flagged(&req->msg); /* what may have run before stays marked */
    copy->redelivered = false;
    /* The broker keeps whole seconds; the worker that gets it waits for the rest, which the eta tells. */
    req->parcel.due = verdict->delay >= 1 ? context->mono + floor(verdict->delay) : 0;
    int code = strip_death_records(&req->arena, copy);
    if (code != UMBEL_OK)
        return code;
    if (verdict->send == SEND_PARK)
        return write_parked(req, verdict, context);
    if (verdict->send == SEND_RETRY)
        return write_retried(req, verdict, context);
    copy->deaths = req->msg.deaths + req->deaths;
    return UMBEL_OK;
}
