/* dead_letters.c: see dead_letters.h. */
#include "client/dead_letters.h"

#include <stdio.h>
#include <string.h>

static const double STEP_SECONDS = 10, QUIET_SECONDS = 1;

/* ---- what comes from the broker ---- */

static void keep(struct dead_letters *dead, struct tag tag, const struct message *msg)
{
    struct dead_letter *letter = arena_alloc(&dead->arena, sizeof *letter);
    if (!letter || message_copy(&dead->arena, &letter->msg, msg) != UMBEL_OK)
        return; /* it goes back with the rest */
    letter->next = NULL;
    letter->tag = tag;
    *dead->last = letter;
    dead->last = &letter->next;
    dead->count++;
}

static void on_delivered(void *self, struct tag tag, const struct message *msg)
{
    keep(self, tag, msg);
}

static void on_garbled(void *self, struct tag tag, const struct message *msg, const char *why)
{
    (void)why;
    keep(self, tag, msg);
}

static void note(struct dead_letters *dead, int code, const char *why)
{
    dead->code = code;
    if (code != UMBEL_OK)
        snprintf(dead->desk.why, sizeof dead->desk.why, "%s", why ? why : "");
}

static void on_published(void *self, uint64_t token, int code, const char *why)
{
    struct dead_letters *dead = self;
    (void)token;
    dead->published = true;
    note(dead, code, why);
}

static void on_counted(void *self, uint64_t token, int code, uint64_t messages, const char *why)
{
    struct dead_letters *dead = self;
    (void)token;
    dead->counted = true;
    dead->waiting = messages;
    if (messages < dead->wanted)
        dead->wanted = messages;
    note(dead, code, why);
}

static void on_consuming(void *self, uint32_t consumer, uint64_t waiting)
{
    (void)self, (void)consumer, (void)waiting;
}

static void on_cancelled(void *self, uint32_t consumer)
{
    struct dead_letters *dead = self;
    (void)consumer;
    dead->cancelled = true;
}

static void on_consumer_lost(void *self, uint32_t consumer, int code, const char *why)
{
    (void)consumer;
    note(self, code, why);
}

static void on_room(void *self)
{
    (void)self;
}

static const struct transport_events events = {
    .state = desk_broker_state,
    .published = on_published,
    .delivered = on_delivered,
    .garbled = on_garbled,
    .consumer_lost = on_consumer_lost,
    .consuming = on_consuming,
    .cancelled = on_cancelled,
    .room = on_room,
    .counted = on_counted,
};

/* ---- the steps ---- */

int dead_letters_open(struct dead_letters *dead, const struct command_globals *globals)
{
    *dead = (struct dead_letters){.count = 0};
    dead->last = &dead->first;
    arena_init(&dead->arena, 0);
    return desk_open_broker(&dead->desk, "dead", globals, &events);
}

static bool is_counted(struct desk *desk)
{
    return ((struct dead_letters *)desk)->counted;
}

static bool is_published(struct desk *desk)
{
    return ((struct dead_letters *)desk)->published;
}

static bool is_cancelled(struct desk *desk)
{
    return ((struct dead_letters *)desk)->cancelled;
}

static bool all_came(struct desk *desk)
{
    const struct dead_letters *dead = (struct dead_letters *)desk;
    return dead->count >= dead->wanted;
}

/* Others may take some while we fetch: it is enough when none has come for a second. */
static void collect(struct dead_letters *dead)
{
    size_t before;
    int code;
    do {
        before = dead->count;
        code = desk_wait(&dead->desk, all_came, before ? QUIET_SECONDS : STEP_SECONDS);
    } while (code == UMBEL_TIMEOUT && dead->count > before);
}

int dead_letters_fetch(struct dead_letters *dead, const char *queue, uint64_t limit)
{
    char name[300];
    snprintf(name, sizeof name, "%s.dead", queue);
    dead->queue = queue;
    dead->wanted = limit;
    int code = desk_wait(&dead->desk, desk_is_up, STEP_SECONDS);
    if (code != UMBEL_OK)
        return code;
    const struct transport_ops *ops = dead->desk.transport->ops;
    ops->count(dead->desk.transport, name, 1);
    code = desk_wait(&dead->desk, is_counted, STEP_SECONDS);
    if (code != UMBEL_OK || dead->code != UMBEL_OK || dead->wanted == 0)
        return code != UMBEL_OK ? code : dead->code;
    struct consume_options options = {.prefetch = (uint32_t)dead->wanted};
    uint32_t consumer = ops->consume(dead->desk.transport, name, &options);
    collect(dead);
    /* What is replayed may be parked again at once, and is not to be replayed a second time. */
    ops->cancel(dead->desk.transport, consumer);
    code = desk_wait(&dead->desk, is_cancelled, STEP_SECONDS);
    if (code != UMBEL_OK)
        return code;
    return dead->count ? UMBEL_OK : UMBEL_TIMEOUT;
}

/* What the parking added is taken off, and a mark tells the worker that a new life begins. */
static int make_replay(struct dead_letters *dead, const struct message *from, struct message *to)
{
    static const char *const ours[] = {"umbel-reason", "umbel-error", "umbel-queue", "umbel-dead-at",
                                       "umbel-worker"};
    umbel_str queue = STR_NONE;
    umbel_value_str(message_extra(from, "umbel-queue"), &queue);
    *to = *from;
    to->queue = queue.size ? queue : str_of(dead->queue);
    to->exchange = to->routing_key = STR_NONE;
    to->deaths = 0;
    to->redelivered = to->republished = false;
    struct message_header *kept = arena_alloc(&dead->arena, (from->extra_count + 1) * sizeof *kept);
    if (!kept)
        return UMBEL_NO_MEMORY;
    to->extra = kept;
    to->extra_count = 0;
    for (size_t i = 0; i < from->extra_count; i++) {
        bool drop = false;
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++)
            drop = drop || str_equal(from->extra[i].name, str_of(ours[k]));
        if (!drop)
            kept[to->extra_count++] = from->extra[i];
    }
    umbel_value yes = {.kind = UMBEL_BOOL, .as.boolean = true};
    return message_set_extra(&dead->arena, to, STR("umbel-replayed"), &yes);
}

int dead_letters_replay(struct dead_letters *dead, struct dead_letter *letter)
{
    struct message msg;
    struct transport *transport = dead->desk.transport;
    int code = make_replay(dead, &letter->msg, &msg);
    dead->published = false;
    if (code == UMBEL_OK)
        code = transport->ops->publish(transport, &msg, 0, 0, 1);
    if (code == UMBEL_OK)
        code = desk_wait(&dead->desk, is_published, STEP_SECONDS);
    if (code == UMBEL_OK)
        code = dead->code;
    if (code == UMBEL_OK)
        dead_letters_drop(dead, letter);
    return code;
}

void dead_letters_drop(struct dead_letters *dead, struct dead_letter *letter)
{
    dead->desk.transport->ops->settle(dead->desk.transport, letter->tag, SETTLE_ACK);
}

void dead_letters_close(struct dead_letters *dead)
{
    desk_close(&dead->desk);
    arena_fini(&dead->arena);
}
