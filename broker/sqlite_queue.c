/* sqlite_queue.c: see sqlite_queue.h. */
#include "broker/sqlite_queue.h"

#include <stdlib.h>
#include "common/clock.h"

enum { PRIORITY_MAX = 255 };
static const double look_again = 0.001; /* for what was left to the rivals and not taken */

/* ---- publishing
 * -------------------------------------------------------------------------------------------------- */

static struct note *answer(struct sqlite_port *port, const struct note *to, int kind, int code,
                           uint64_t number)
{
    struct note *note = sqlite_port_answer(port, kind, to->token, code);
    if (note)
        note->number = number;
    return note;
}

static int insert(struct sqlite_store *store, const struct sqlite_queue *queue, const struct notes *notes,
                  const struct note *note)
{
    umbel_str packed = note_text(notes, note, 1);
    bool later = note->flags & QUEUE_LATER;
    int64_t id = sqlite_store_number(store);
    int priority = note->number < (uint64_t)queue->max_priority ? (int)note->number : queue->max_priority;
    sqlite3_stmt *insert = sqlite_store_sql(store, SQL_PUBLISH);
    sqlite3_bind_int64(insert, 1, id);
    sqlite3_bind_int64(insert, 2, queue->id);
    sqlite3_bind_int(insert, 3, PRIORITY_MAX - priority);
    sqlite3_bind_int(insert, 4, later ? OWNER_LATER : OWNER_READY);
    if (later)
        sqlite3_bind_double(insert, 5, note->when);
    else
        sqlite3_bind_null(insert, 5);
    sqlite3_bind_blob64(insert, 6, packed.data, packed.size, SQLITE_STATIC);
    return sqlite_store_run(insert);
}

static int publish(struct sqlite_port *port, const struct notes *notes, const struct note *note)
{
    struct sqlite_store *store = port->store;
    struct sqlite_queue *queue;
    size_t size = note->texts[1].size;
    int rc = sqlite_store_queue(store, note_text(notes, note, 0), note->flags & QUEUE_CREATE, 0, &queue);
    if (rc != SQLITE_OK)
        return rc;
    if (!queue) {
        sqlite_port_explain(port, answer(port, note, QUEUE_PUBLISH, UMBEL_UNROUTABLE, size), "no such queue");
        return SQLITE_OK;
    }
    rc = insert(store, queue, notes, note);
    if (rc != SQLITE_OK)
        return rc;
    sqlite_store_touch_queue(store, queue);
    answer(port, note, QUEUE_PUBLISH, UMBEL_OK, size);
    return SQLITE_OK;
}

/* ---- settling
 * ---------------------------------------------------------------------------------------------------- */

static struct sqlite_consumer *find_consumer(struct sqlite_queues *queues, uint32_t number)
{
    struct sqlite_consumer *consumer = queues->consumers;
    while (consumer && consumer->number != number)
        consumer = consumer->next;
    return consumer;
}

/* A message that is not ours any more changes nothing; the room it took is free again either way. */
static int settle(struct sqlite_queues *queues, struct sqlite_port *port, const struct note *note)
{
    bool back = note->kind == QUEUE_REQUEUE;
    sqlite3_stmt *settle = sqlite_store_sql(port->store, back ? SQL_REQUEUE : SQL_ACK);
    sqlite3_bind_int64(settle, 1, (int64_t)note->number);
    sqlite3_bind_int64(settle, 2, queues->owner);
    struct sqlite_consumer *consumer = find_consumer(queues, note->consumer);
    if (consumer && consumer->held)
        consumer->held--;
    queues->bytes -= note->token < queues->bytes ? (size_t)note->token : queues->bytes;
    if (back && consumer && consumer->queue)
        sqlite_store_touch_queue(port->store, consumer->queue);
    else if (back)
        port->store->touched.everything = true;
    return sqlite_store_run(settle);
}

/* ---- consumers
 * --------------------------------------------------------------------------------------------------- */

/* May run twice for one note, when the first transaction was taken back. */
static int consume(struct sqlite_queues *queues, const struct notes *notes, const struct note *note)
{
    umbel_str name = note_text(notes, note, 0);
    if (find_consumer(queues, note->consumer))
        return SQLITE_OK;
    struct sqlite_consumer *consumer = calloc(1, sizeof *consumer + name.size + 1);
    if (!consumer)
        return SQLITE_NOMEM;
    if (name.size)
        memcpy(consumer->name, name.data, name.size);
    consumer->number = note->consumer;
    consumer->prefetch = (uint32_t)note->number;
    consumer->max_priority = note->code;
    consumer->create = note->flags & QUEUE_CREATE;
    consumer->exclusive = note->flags & QUEUE_EXCLUSIVE;
    consumer->next = queues->consumers;
    queues->consumers = consumer;
    return SQLITE_OK;
}

static int cancel(struct sqlite_queues *queues, struct sqlite_port *port, const struct note *note)
{
    struct sqlite_consumer *consumer = find_consumer(queues, note->consumer);
    if (consumer)
        consumer->ended = true;
    sqlite3_stmt *drop = sqlite_store_sql(port->store, SQL_WAITER_DROP);
    sqlite3_bind_int64(drop, 1, queues->owner);
    sqlite3_bind_int64(drop, 2, note->consumer);
    struct note *told = sqlite_port_answer(port, QUEUE_CANCEL, 0, UMBEL_OK);
    if (told)
        told->consumer = note->consumer;
    return sqlite_store_run(drop);
}

/* Of all processes. */
static void count_rivals(struct sqlite_store *store, const char *name, uint32_t *count, bool *exclusive)
{
    sqlite3_stmt *rivals = sqlite_store_sql(store, SQL_RIVALS);
    sqlite_bind_str(rivals, 1, str_of(name));
    *count = 0;
    *exclusive = false;
    if (sqlite_store_step(rivals) == SQLITE_ROW) {
        *count = (uint32_t)sqlite3_column_int(rivals, 0);
        *exclusive = sqlite3_column_int(rivals, 1);
    }
    sqlite3_reset(rivals);
}

static uint64_t count_ready(struct sqlite_store *store, const struct sqlite_queue *queue, int64_t most)
{
    sqlite3_stmt *count = sqlite_store_sql(store, SQL_READY_COUNT);
    sqlite3_bind_int64(count, 1, queue->id);
    sqlite3_bind_int64(count, 2, most);
    uint64_t ready = sqlite_store_step(count) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(count, 0) : 0;
    sqlite3_reset(count);
    return ready;
}

static void complain(struct sqlite_port *port, struct sqlite_consumer *consumer, int code, const char *why)
{
    if (consumer->complained)
        return;
    consumer->complained = true;
    struct note *note = sqlite_port_answer(port, QUEUE_LOST, 0, code);
    if (note)
        note->consumer = consumer->number;
    sqlite_port_explain(port, note, why);
}

static int add_waiter(struct sqlite_queues *queues, struct sqlite_store *store,
                      const struct sqlite_consumer *consumer)
{
    sqlite3_stmt *add = sqlite_store_sql(store, SQL_WAITER_ADD);
    sqlite3_bind_int(add, 1, WAITER_QUEUE);
    sqlite_bind_str(add, 2, str_of(consumer->name));
    sqlite3_bind_int64(add, 3, queues->owner);
    sqlite3_bind_int64(add, 4, consumer->number);
    sqlite3_bind_int64(add, 5, store->wake.number);
    sqlite3_bind_int(add, 6, consumer->exclusive);
    return sqlite_store_run(add);
}

static int attach(struct sqlite_queues *queues, struct sqlite_port *port, struct sqlite_consumer *consumer)
{
    struct sqlite_store *store = port->store;
    struct sqlite_queue *queue;
    uint32_t rivals;
    bool exclusive;
    int rc =
        sqlite_store_queue(store, str_of(consumer->name), consumer->create, consumer->max_priority, &queue);
    if (rc != SQLITE_OK)
        return rc;
    if (!queue) {
        complain(port, consumer, UMBEL_NOT_FOUND, "no such queue");
        return SQLITE_OK;
    }
    count_rivals(store, consumer->name, &rivals, &exclusive);
    if (exclusive || (rivals && consumer->exclusive)) {
        complain(port, consumer, UMBEL_CONFLICT, "a consumer has the queue for itself alone");
        return SQLITE_OK;
    }
    rc = add_waiter(queues, store, consumer);
    consumer->queue = queue;
    consumer->fresh = true;
    consumer->complained = false;
    struct note *note = sqlite_port_answer(port, QUEUE_CONSUME, 0, UMBEL_OK);
    if (note) {
        note->consumer = consumer->number;
        note->number = count_ready(store, queue, -1);
    }
    return rc;
}

/* ---- giving
 * ------------------------------------------------------------------------------------------------------ */

uint32_t sqlite_queues_share(uint64_t ready, uint32_t room, uint32_t rivals)
{
    uint64_t share = rivals > 1 ? (ready + rivals - 1) / rivals : ready;
    return share < room ? (uint32_t)share : room;
}

static uint32_t room_of(const struct sqlite_queues *queues, const struct sqlite_consumer *consumer)
{
    if (consumer->ended || queues->paused || queues->bytes >= queues->budget ||
        consumer->held >= consumer->prefetch)
        return 0;
    return consumer->prefetch - consumer->held;
}

static bool note_delivery(struct sqlite_port *port, const struct sqlite_consumer *consumer, sqlite3_stmt *row)
{
    struct note *note = sqlite_port_answer(port, QUEUE_DELIVERED, 0, sqlite3_column_int(row, 1));
    if (!note)
        return false;
    note->consumer = consumer->number;
    note->number = (uint64_t)sqlite3_column_int64(row, 0);
    if (notes_text(port->answers, note, 0, sqlite_column_str(row, 2)) &&
        notes_text(port->answers, note, 1, str_of(consumer->name)))
        return true;
    notes_drop(port->answers);
    return false;
}

/* Reads first and marks then: an index must not change under the statement that walks it. */
static int claim(struct sqlite_queues *queues, struct sqlite_port *port, struct sqlite_consumer *consumer,
                 uint32_t most)
{
    struct sqlite_store *store = port->store;
    size_t first = port->answers ? port->answers->count : 0;
    sqlite3_stmt *list = sqlite_store_sql(store, SQL_READY_LIST);
    sqlite3_bind_int64(list, 1, consumer->queue->id);
    sqlite3_bind_int64(list, 2, most);
    int rc;
    while ((rc = sqlite3_step(list)) == SQLITE_ROW && queues->bytes < queues->budget &&
           note_delivery(port, consumer, list)) {
        consumer->held++;
        queues->bytes += (size_t)sqlite3_column_bytes(list, 2);
    }
    sqlite3_reset(list);
    rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
    sqlite3_stmt *mark = sqlite_store_sql(store, SQL_CLAIM);
    for (size_t i = first; port->answers && i < port->answers->count && rc == SQLITE_OK; i++) {
        sqlite3_bind_int64(mark, 1, (int64_t)port->answers->items[i].number);
        sqlite3_bind_int64(mark, 2, queues->owner);
        rc = sqlite_store_run(mark);
    }
    return rc;
}

static int serve(struct sqlite_queues *queues, struct sqlite_port *port, struct sqlite_consumer *consumer)
{
    struct sqlite_store *store = port->store;
    uint32_t room = room_of(queues, consumer), rivals;
    bool exclusive;
    if (room == 0)
        return SQLITE_OK;
    count_rivals(store, consumer->name, &rivals, &exclusive);
    uint32_t share = room;
    if (rivals > 1) {
        uint64_t ready = count_ready(store, consumer->queue, (int64_t)room * rivals);
        share = sqlite_queues_share(ready, room, rivals);
        if (ready > share && share < room)
            store->again_at = clock_mono() + look_again;
    }
    return share ? claim(queues, port, consumer, share) : SQLITE_OK;
}

/* ---- the port's operations
 * --------------------------------------------------------------------------------------- */

static int register_again(struct sqlite_queues *queues)
{
    for (struct sqlite_consumer *at = queues->consumers; at; at = at->next) {
        at->queue = NULL;
        at->held = 0;
    }
    queues->bytes = 0;
    return SQLITE_OK;
}

int sqlite_queues_join(struct sqlite_queues *queues, struct sqlite_port *port)
{
    sqlite3_stmt *add = sqlite_store_sql(port->store, SQL_OWNER_ADD);
    sqlite3_bind_int64(add, 1, port->store->wake.number);
    int rc = sqlite_store_run(add);
    queues->owner = sqlite3_last_insert_rowid(port->store->db);
    register_again(queues);
    sqlite_port_answer(port, PORT_STATE, 0, UMBEL_OK);
    return rc;
}

static int purge(struct sqlite_port *port, const struct notes *notes, const struct note *note)
{
    struct sqlite_queue *queue;
    int rc = sqlite_store_queue(port->store, note_text(notes, note, 0), false, 0, &queue);
    if (rc != SQLITE_OK)
        return rc;
    if (!queue) {
        sqlite_port_explain(port, answer(port, note, QUEUE_COUNT, UMBEL_NOT_FOUND, 0), "no such queue");
        return SQLITE_OK;
    }
    sqlite3_stmt *purge = sqlite_store_sql(port->store, SQL_PURGE);
    sqlite3_bind_int64(purge, 1, queue->id);
    rc = sqlite_store_run(purge);
    answer(port, note, QUEUE_COUNT, UMBEL_OK, (uint64_t)sqlite3_changes(port->store->db));
    return rc;
}

int sqlite_queues_write(struct sqlite_queues *queues, struct sqlite_port *port, const struct notes *notes,
                        const struct note *note)
{
    switch (note->kind) {
    case QUEUE_PUBLISH:
        return publish(port, notes, note);
    case QUEUE_ACK:
    case QUEUE_REQUEUE:
        return settle(queues, port, note);
    case QUEUE_CONSUME:
        return consume(queues, notes, note);
    case QUEUE_CANCEL:
        return cancel(queues, port, note);
    case QUEUE_PURGE:
        return purge(port, notes, note);
    default:
        return SQLITE_OK;
    }
}

int sqlite_queues_finish(struct sqlite_queues *queues, struct sqlite_port *port)
{
    int rc = SQLITE_OK;
    for (struct sqlite_consumer *at = queues->consumers; at && rc == SQLITE_OK; at = at->next) {
        if (!at->queue && !at->ended)
            rc = attach(queues, port, at);
        if (at->queue && rc == SQLITE_OK)
            rc = serve(queues, port, at);
    }
    return rc;
}

static bool any_ready(struct sqlite_store *store, const struct sqlite_queue *queue)
{
    sqlite3_stmt *any = sqlite_store_sql(store, SQL_READY_ANY);
    sqlite3_bind_int64(any, 1, queue->id);
    bool found = sqlite_store_step(any) == SQLITE_ROW;
    sqlite3_reset(any);
    return found;
}

bool sqlite_queues_want(struct sqlite_queues *queues, struct sqlite_port *port)
{
    for (struct sqlite_consumer *at = queues->consumers; at; at = at->next) {
        struct sqlite_queue *queue = at->queue;
        if (!queue && !at->ended &&
            sqlite_store_queue(port->store, str_of(at->name), false, 0, &queue) == SQLITE_OK && queue)
            return true;
        if (at->queue && room_of(queues, at) && any_ready(port->store, at->queue))
            return true;
    }
    return false;
}

/* Those that ended and hold nothing; what is settled later needs only its owner. */
static void drop_ended(struct sqlite_queues *queues)
{
    struct sqlite_consumer *consumer, **at = &queues->consumers;
    while ((consumer = *at)) {
        if (consumer->ended && consumer->held == 0) {
            *at = consumer->next;
            free(consumer);
        } else {
            at = &consumer->next;
        }
    }
}

void sqlite_queues_ended(struct sqlite_queues *queues, bool committed)
{
    if (committed)
        drop_ended(queues);
    for (struct sqlite_consumer *at = queues->consumers; at; at = at->next) {
        if (!committed) {
            at->held = at->held_before;
            if (at->fresh)
                at->queue = NULL;
        }
        at->fresh = false;
        at->held_before = at->held;
    }
    if (!committed)
        queues->bytes = queues->bytes_before;
    queues->bytes_before = queues->bytes;
}

int sqlite_queues_read(struct sqlite_queues *queues, struct sqlite_port *port, const struct notes *notes,
                       const struct note *note)
{
    if (!note)
        return SQLITE_OK;
    if (note->kind == QUEUE_PAUSE) {
        queues->paused = note->number;
        port->store->again_at = clock_mono();
        return SQLITE_OK;
    }
    struct sqlite_queue *queue;
    int rc = sqlite_store_queue(port->store, note_text(notes, note, 0), false, 0, &queue);
    if (rc != SQLITE_OK)
        return rc;
    if (queue)
        answer(port, note, QUEUE_COUNT, UMBEL_OK, count_ready(port->store, queue, -1));
    else
        sqlite_port_explain(port, answer(port, note, QUEUE_COUNT, UMBEL_NOT_FOUND, 0), "no such queue");
    return SQLITE_OK;
}

void sqlite_queues_free(struct sqlite_queues *queues)
{
    for (struct sqlite_consumer *at = queues->consumers, *next; at; at = next) {
        next = at->next;
        free(at);
    }
    queues->consumers = NULL;
}
