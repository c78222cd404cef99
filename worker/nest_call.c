/* nest_call.c: one call of a task on its way through the worker. See nest_inside.h.
 *
 * A call waits here while the broker is away or full, and while the queue it is for is not consumed yet; the
 * client that made it counts the time and gives up, not we. The worker writes its own channel into what wants
 * a result. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "worker/nest_inside.h"
#include "worker/nest_route.h"

/* ---- records of calls ---- */

static struct nest_call *call_new(struct nest_guest *guest)
{
    struct nest_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->guest = guest;
    call->next = guest->calls;
    if (call->next)
        call->next->prev = call;
    guest->calls = call;
    return call;
}

static void leave_guest(struct nest_call *call)
{
    struct nest_guest *guest = call->guest;
    if (!guest)
        return;
    *(call->prev ? &call->prev->next : &guest->calls) = call->next;
    if (call->next)
        call->next->prev = call->prev;
    call->guest = NULL;
}

static void call_free(struct nest_call *call)
{
    leave_guest(call);
    free((char *)(uintptr_t)call->packed.data);
    free(call);
}

static void answer(const struct nest_call *call, int code, const char *why)
{
    if (call->guest)
        guest_tell(call->guest,
                   &(struct parent_frame){
                       .kind = PARENT_PUBLISHED, .code = code, .token = call->token, .payload = str_of(why)});
}

/* ---- where it goes ---- */

static struct nest_served *served_find(const struct nest *nest, umbel_str queue)
{
    struct nest_served *at = nest->served;
    while (at && !str_equal(at->queue, queue))
        at = at->next;
    return at;
}

static struct nest_served *served_new(struct nest *nest, umbel_str queue)
{
    struct nest_served *served = calloc(1, sizeof *served + queue.size + 1);
    if (!served)
        return NULL;
    memcpy(served->name, queue.data, queue.size);
    served->queue = (umbel_str){served->name, queue.size};
    served->next = nest->served;
    nest->served = served;
    nest->events->consume(nest->self, served->queue);
    return served;
}

void nest_consumed(struct nest *nest, umbel_str queue)
{
    struct nest_served *served = served_find(nest, queue);
    if (served)
        served->ready = true;
    loop_mark(nest->loop, &nest->pump);
}

void nest_consumes_no_more(struct nest *nest)
{
    nest->settled = true;
    loop_mark(nest->loop, &nest->pump);
}

/* UMBEL_OK; UMBEL_BROKER_AWAY: its queue is not there yet. */
static int route(struct nest *nest, struct message *msg, int *flags)
{
    umbel_str base = nest_base(msg->queue);
    if (msg->exchange.size || !nest->events->serves(nest->self, base) ||
        !registry_find(nest->options.registry, msg->task))
        return UMBEL_OK;
    struct nest_served *served = served_find(nest, base);
    if (nest->settled && !(served && served->ready))
        return UMBEL_OK;
    if (!served && !(served = served_new(nest, base)))
        return UMBEL_NO_MEMORY;
    if (!served->ready)
        return UMBEL_BROKER_AWAY;
    int depth = nest_depth(msg);
    msg->queue = nest_queue(&nest->arena, base);
    msg->priority = nest_priority(depth ? depth : 1);
    *flags &= ~PUBLISH_CREATE_QUEUE;
    return msg->queue.data ? UMBEL_OK : UMBEL_NO_MEMORY;
}

/* ---- publishing ---- */

static int publish(struct nest *nest, struct nest_call *call, umbel_str packed)
{
    struct message msg;
    int flags = call->flags;
    arena_reset(&nest->arena);
    int code = message_unpack(&nest->arena, packed, &msg);
    if (code == UMBEL_OK)
        code = route(nest, &msg, &flags);
    if (code != UMBEL_OK)
        return code;
    bool wants = msg.reply_to.size && nest->backend;
    msg.reply_to = wants ? str_of(nest->channel) : STR_NONE;
    double delay = call->due > 0 ? fmax(call->due - clock_mono(), 0) : 0;
    code = nest->transport
               ? nest->transport->ops->publish(nest->transport, &msg, delay, flags, (uint64_t)(uintptr_t)call)
               : UMBEL_NOT_SUPPORTED;
    if (code == UMBEL_OK && wants)
        nest_roster_add(&nest->roster, &call->guest->tickets, msg.id, false);
    return code;
}

static bool is_to_wait(int code)
{
    return code == UMBEL_BROKER_AWAY || code == UMBEL_BROKER_BLOCKED || code == UMBEL_BUSY;
}

static bool keep(struct nest *nest, struct nest_call *call, umbel_str packed)
{
    char *copy = malloc(packed.size ? packed.size : 1);
    if (!copy)
        return false;
    memcpy(copy, packed.data, packed.size);
    call->packed = (umbel_str){copy, packed.size};
    call->later = NULL;
    *nest->kept_last = call;
    nest->kept_last = &call->later;
    call->guest->kept++;
    call->guest->kept_bytes += packed.size;
    guest_pace(call->guest);
    return true;
}

static void refuse(struct nest_call *call, int code, const char *why)
{
    answer(call, code, why);
    call_free(call);
}

bool nest_call(struct nest_guest *guest, const struct parent_frame *frame)
{
    umbel_str packed = frame->payload;
    double delay;
    if (!parent_take_double(&packed, &delay) || !(delay >= 0))
        return false;
    struct nest *nest = guest->nest;
    struct nest_call *call = call_new(guest);
    if (!call)
        return false;
    call->token = frame->token;
    call->flags = frame->flags & (PUBLISH_CREATE_QUEUE | PUBLISH_UNCONFIRMED);
    call->due = delay > 0 ? clock_mono() + delay : 0;
    int code = guest->kept ? UMBEL_BUSY : publish(nest, call, packed);
    if (is_to_wait(code) && !keep(nest, call, packed))
        code = UMBEL_NO_MEMORY;
    if (code != UMBEL_OK && !is_to_wait(code))
        refuse(call, code, "");
    return true;
}

void nest_call_published(struct nest *nest, uint64_t token, int code, const char *why)
{
    struct nest_call *call = (struct nest_call *)(uintptr_t)token;
    (void)nest;
    refuse(call, code, why);
}

/* ---- those kept ---- */

/* True: it is not kept any more. */
static bool try_again(struct nest *nest, struct nest_call *call)
{
    struct nest_guest *guest = call->guest;
    int code = guest ? publish(nest, call, call->packed) : UMBEL_CLOSED;
    if (is_to_wait(code))
        return false;
    if (guest) {
        guest->kept--;
        guest->kept_bytes -= call->packed.size;
        guest_pace(guest);
    }
    free((char *)(uintptr_t)call->packed.data);
    call->packed = STR_NONE;
    if (code != UMBEL_OK)
        refuse(call, code, "");
    return true;
}

void nest_call_pump(struct nest *nest)
{
    struct nest_call *list = nest->kept;
    nest->kept = NULL;
    nest->kept_last = &nest->kept;
    while (list) {
        struct nest_call *call = list;
        list = call->later;
        if (try_again(nest, call))
            continue;
        call->later = NULL;
        *nest->kept_last = call;
        nest->kept_last = &call->later;
    }
}

void nest_call_forget(struct nest_guest *guest)
{
    while (guest->calls)
        leave_guest(guest->calls);
    guest->kept = guest->kept_bytes = 0;
    loop_mark(guest->nest->loop, &guest->nest->pump);
}

void nest_call_fini(struct nest *nest)
{
    while (nest->kept) {
        struct nest_call *call = nest->kept;
        nest->kept = call->later;
        call_free(call);
    }
    while (nest->served) {
        struct nest_served *served = nest->served;
        nest->served = served->next;
        free(served);
    }
}
