/* sqlite_store.c: the thread of a database: collect, write in one transaction, read, answer, wait.
 *
 * What fails: a transaction that cannot be had or committed (locked for five seconds, disk full, file
 * damaged) is taken back, everything in it that has an answer is answered with that reason, and what has none
 * (settlements, ends of consumers) is kept and tried again. A file that cannot be opened is tried again every
 * second. */
#include "broker/sqlite_store.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "common/clock.h"

static const double tick = 0.5; /* how soon a process's death is noticed, and a lost datagram made good */
static const double retry_open = 1.0;
static const double retry_write = 0.1;
static const double lock_patience = 5.0;

/* ---- statements
 * -------------------------------------------------------------------------------------------------- */

sqlite3_stmt *sqlite_store_sql(struct sqlite_store *store, enum sqlite_sql which)
{
    return store->statements[which];
}

int sqlite_store_step(sqlite3_stmt *statement)
{
    return sqlite3_step(statement);
}

int sqlite_store_run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* Never NULL: an empty text is not absent. The bytes are used before the next statement runs. */
void sqlite_bind_str(sqlite3_stmt *statement, int place, umbel_str text)
{
    sqlite3_bind_text64(statement, place, text.data ? text.data : "", text.size, SQLITE_STATIC, SQLITE_UTF8);
}

umbel_str sqlite_column_str(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);
    return (umbel_str){data, (size_t)sqlite3_column_bytes(statement, column)};
}

static bool set_sync(struct sqlite_store *store, bool full)
{
    if (store->full_sync == full)
        return true;
    if (sqlite3_exec(store->db, full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", NULL, NULL,
                     NULL))
        return false;
    store->full_sync = full;
    return true;
}

/* ---- transactions
 * ------------------------------------------------------------------------------------------------ */

static void settle_queues(struct sqlite_store *store, bool committed)
{
    for (struct table_node *node = table_next(&store->queues, NULL); node;
         node = table_next(&store->queues, node)) {
        struct sqlite_queue *queue = (struct sqlite_queue *)node;
        if (queue->fresh && !committed)
            queue->id = 0;
        queue->fresh = queue->touched = false;
    }
    store->queues_changed = false;
}

void sqlite_store_be_patient(struct sqlite_store *store)
{
    store->impatient_at = clock_mono() + lock_patience;
}

bool sqlite_store_patient(void *self)
{
    struct sqlite_store *store = self;
    double now = clock_mono();
    pthread_mutex_lock(&store->lock);
    bool hurry = store->hurry_at > 0 && now >= store->hurry_at;
    pthread_mutex_unlock(&store->lock);
    return !hurry && now < store->impatient_at;
}

int sqlite_store_begin(struct sqlite_store *store, bool sync)
{
    store->touched = (struct sqlite_touched){0};
    store->number_known = store->number_changed = false;
    sqlite_store_be_patient(store);
    sqlite_gate_enter(&store->wake, sqlite_store_patient, store);
    int rc =
        set_sync(store, sync) ? sqlite_store_run(sqlite_store_sql(store, SQL_BEGIN_WRITE)) : SQLITE_ERROR;
    if (rc != SQLITE_OK) {
        snprintf(store->why, sizeof store->why, "%s: %s", store->path, sqlite3_errmsg(store->db));
        sqlite_gate_leave(&store->wake);
    }
    return rc;
}

static int save_number(struct sqlite_store *store)
{
    if (!store->number_changed)
        return SQLITE_OK;
    sqlite3_stmt *set = sqlite_store_sql(store, SQL_NUMBER_SET);
    sqlite3_bind_int64(set, 1, store->number);
    return sqlite_store_run(set);
}

int sqlite_store_end(struct sqlite_store *store, int rc)
{
    if (rc == SQLITE_OK)
        rc = save_number(store);
    if (rc == SQLITE_OK)
        rc = sqlite_tidy_find_homes(store);
    if (rc == SQLITE_OK)
        rc = sqlite_store_run(sqlite_store_sql(store, SQL_COMMIT));
    if (rc != SQLITE_OK) {
        snprintf(store->why, sizeof store->why, "%s: %s", store->path, sqlite3_errmsg(store->db));
        store->home_count = 0;
        if (!sqlite3_get_autocommit(store->db))
            sqlite_store_run(sqlite_store_sql(store, SQL_ROLLBACK));
    }
    sqlite_gate_leave(&store->wake);
    if (store->queues_changed)
        settle_queues(store, rc == SQLITE_OK);
    return rc;
}

int64_t sqlite_store_last(struct sqlite_store *store)
{
    sqlite3_stmt *get = sqlite_store_sql(store, SQL_NUMBER_GET);
    int64_t number = sqlite_store_step(get) == SQLITE_ROW ? sqlite3_column_int64(get, 0) : 0;
    sqlite3_reset(get);
    return number;
}

int64_t sqlite_store_number(struct sqlite_store *store)
{
    if (!store->number_known)
        store->number = sqlite_store_last(store);
    store->number_known = store->number_changed = true;
    return ++store->number;
}

/* ---- queues
 * ------------------------------------------------------------------------------------------------------ */

static struct sqlite_queue *remember(struct sqlite_store *store, umbel_str name)
{
    struct sqlite_queue *queue = (struct sqlite_queue *)table_find(&store->queues, name);
    if (queue)
        return queue;
    queue = calloc(1, sizeof *queue + name.size + 1);
    if (!queue)
        return NULL;
    if (name.size)
        memcpy(queue + 1, name.data, name.size);
    queue->node.key = (umbel_str){(const char *)(queue + 1), name.size};
    if (table_add(&store->queues, &queue->node) == UMBEL_OK)
        return queue;
    free(queue);
    return NULL;
}

static int read_queue(struct sqlite_store *store, umbel_str name, struct sqlite_queue **out)
{
    sqlite3_stmt *find = sqlite_store_sql(store, SQL_QUEUE_FIND);
    sqlite_bind_str(find, 1, name);
    int rc = sqlite_store_step(find);
    if (rc == SQLITE_ROW && (*out = remember(store, name))) {
        (*out)->id = sqlite3_column_int64(find, 0);
        (*out)->max_priority = sqlite3_column_int(find, 1);
    }
    sqlite3_reset(find);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int add_queue(struct sqlite_store *store, umbel_str name, int max_priority, struct sqlite_queue **out)
{
    sqlite3_stmt *add = sqlite_store_sql(store, SQL_QUEUE_ADD);
    sqlite_bind_str(add, 1, name);
    sqlite3_bind_int(add, 2, max_priority < 0 ? 0 : max_priority > 255 ? 255 : max_priority);
    int rc = sqlite_store_run(add);
    if (rc == SQLITE_OK)
        rc = read_queue(store, name, out);
    if (rc == SQLITE_OK && !*out)
        return SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        (*out)->fresh = store->queues_changed = store->touched.everything = true;
    return rc;
}

int sqlite_store_queue(struct sqlite_store *store, umbel_str name, bool create, int max_priority,
                       struct sqlite_queue **out)
{
    *out = (struct sqlite_queue *)table_find(&store->queues, name);
    if (*out && (*out)->id)
        return SQLITE_OK;
    *out = NULL;
    int rc = read_queue(store, name, out);
    if (rc == SQLITE_OK && !*out && create)
        rc = add_queue(store, name, max_priority, out);
    return rc;
}

void sqlite_store_touch_queue(struct sqlite_store *store, struct sqlite_queue *queue)
{
    queue->touched = store->queues_changed = store->touched.queues = true;
}

void sqlite_store_touch_channel(struct sqlite_store *store, umbel_str channel)
{
    struct sqlite_touched *touched = &store->touched;
    touched->results = true;
    if (channel.size == 0 || touched->channel_count > CHANNELS_TOUCHED)
        return;
    for (size_t i = 0; i < touched->channel_count; i++)
        if (str_equal(str_of(touched->channels[i]), channel))
            return;
    if (touched->channel_count == CHANNELS_TOUCHED || channel.size >= CHANNEL_SIZE) {
        touched->channel_count = CHANNELS_TOUCHED + 1;
        return;
    }
    char *copy = touched->channels[touched->channel_count++];
    memcpy(copy, channel.data, channel.size);
    copy[channel.size] = 0;
}

/* ---- one cycle
 * --------------------------------------------------------------------------------------------------- */

#define EACH_PORT(port, store) (struct sqlite_port *port = (store)->ports; port; port = port->next)

static bool is_open(const struct note *note, unsigned writes)
{
    return note->kind != PORT_NOTHING && (note->flags & NOTE_WRITES) == writes;
}

static unsigned flags_of_work(const struct sqlite_port *port)
{
    unsigned flags = 0;
    for (const struct notes *notes = port->work; notes; notes = notes->next)
        for (size_t i = 0; i < notes->count; i++)
            if (notes->items[i].kind != PORT_NOTHING)
                flags |= notes->items[i].flags;
    return flags;
}

/* Does this cycle write, and must it reach the disk? */
static unsigned wanted_flags(struct sqlite_store *store)
{
    unsigned flags = store->orphan_count ? NOTE_WRITES : 0;
    double now = clock_now();
    if (store->due_at > 0 && store->due_at <= now)
        flags |= NOTE_WRITES;
    for
        EACH_PORT(port, store)
        {
            flags |= flags_of_work(port);
            if (!port->joined)
                flags |= NOTE_WRITES;
            else if (!(flags & NOTE_WRITES) && store->look && port->ops->wants(port))
                flags |= NOTE_WRITES;
        }
    return flags;
}

static int write_port(struct sqlite_port *port)
{
    int rc = SQLITE_OK;
    if (!port->joined && !port->leaving_now)
        rc = port->ops->join(port);
    for (struct notes *notes = port->work; notes && rc == SQLITE_OK; notes = notes->next)
        for (size_t i = 0; i < notes->count && rc == SQLITE_OK; i++)
            if (is_open(&notes->items[i], NOTE_WRITES))
                rc = port->ops->write(port, notes, &notes->items[i]);
    return rc;
}

static int write_all(struct sqlite_store *store)
{
    int rc = SQLITE_OK;
    for (struct sqlite_port *port = store->ports; port && rc == SQLITE_OK; port = port->next)
        rc = write_port(port);
    if (rc == SQLITE_OK)
        rc = sqlite_tidy_orphans(store); /* after their last settlements */
    if (rc == SQLITE_OK)
        rc = sqlite_tidy_mature(store);
    for (struct sqlite_port *port = store->ports; port && rc == SQLITE_OK; port = port->next)
        if (!port->leaving_now)
            rc = port->ops->finish(port);
    return rc;
}

static void refuse(struct sqlite_port *port, bool keep, bool away, const char *why)
{
    for (struct notes *notes = port->work; notes; notes = notes->next)
        for (size_t i = 0; i < notes->count; i++) {
            struct note *note = &notes->items[i];
            if (note->kind == PORT_NOTHING || (keep && (note->flags & NOTE_KEEP)))
                continue;
            port->ops->refuse(port, notes, note, away, why);
            note->kind = PORT_NOTHING;
        }
}

static void written(struct sqlite_port *port)
{
    port->joined = true;
    for (struct notes *notes = port->work; notes; notes = notes->next)
        for (size_t i = 0; i < notes->count; i++)
            if (is_open(&notes->items[i], NOTE_WRITES))
                notes->items[i].kind = PORT_NOTHING;
}

static void take_back(struct sqlite_store *store)
{
    for
        EACH_PORT(port, store)
        {
            if (port->answers)
                notes_clear(port->answers);
            port->ops->ended(port, false);
            refuse(port, true, false, store->why);
        }
    store->retry_at = clock_mono() + retry_write;
}

static void write_phase(struct sqlite_store *store, bool sync)
{
    int rc = sqlite_store_begin(store, sync);
    bool results = false;
    if (rc == SQLITE_OK) {
        rc = sqlite_store_end(store, write_all(store));
        results = store->touched.results;
    }
    if (rc != SQLITE_OK) {
        take_back(store);
        return;
    }
    store->orphan_count = 0;
    store->look |= results;
    for
        EACH_PORT(port, store)
        {
            written(port);
            port->ops->ended(port, true);
        }
    sqlite_tidy_wake_homes(store);
}

static void read_port(struct sqlite_store *store, struct sqlite_port *port)
{
    for (struct notes *notes = port->work; notes; notes = notes->next)
        for (size_t i = 0; i < notes->count; i++) {
            struct note *note = &notes->items[i];
            if (!is_open(note, 0))
                continue;
            if (port->ops->read(port, notes, note) != SQLITE_OK)
                port->ops->refuse(port, notes, note, false, sqlite3_errmsg(store->db));
            note->kind = PORT_NOTHING;
        }
    if (store->look && port->joined)
        port->ops->read(port, NULL, NULL);
}

static void cycle(struct sqlite_store *store)
{
    unsigned flags = wanted_flags(store);
    if (flags & NOTE_WRITES && clock_mono() >= store->retry_at)
        write_phase(store, flags & NOTE_SYNC);
    /* One snapshot for all reads. Failing, each of them fails by itself. */
    bool reading = sqlite_store_run(sqlite_store_sql(store, SQL_BEGIN_READ)) == SQLITE_OK;
    for
        EACH_PORT(port, store)
    read_port(store, port);
    sqlite_tidy_find_due(store);
    if (reading)
        sqlite_store_run(sqlite_store_sql(store, SQL_COMMIT));
    store->look = false;
    if (clock_mono() >= store->tick_at) {
        store->tick_at = clock_mono() + tick;
        sqlite_tidy_tick(store);
    }
}

/* ---- ports that come and go
 * -------------------------------------------------------------------------------------- */

static void collect(struct sqlite_store *store)
{
    pthread_mutex_lock(&store->lock);
    while (store->entering) {
        struct sqlite_port *port = store->entering;
        store->entering = port->next;
        port->next = store->ports;
        store->ports = port;
    }
    for (struct sqlite_port *port = store->ports; port; port = port->next) {
        port->leaving_now = port->leaving;
        sqlite_port_collect(port);
    }
    pthread_mutex_unlock(&store->lock);
    for (struct sqlite_port *port = store->ports; port; port = port->next)
        if (port->leaving_now && port->joined)
            port->ops->leave(port);
}

static void recycle_work(struct sqlite_port *port)
{
    struct notes **at = &port->work;
    while (*at) {
        struct notes *notes = *at;
        bool open = false;
        for (size_t i = 0; i < notes->count && !open; i++)
            open = notes->items[i].kind != PORT_NOTHING;
        if (open) {
            at = &notes->next;
            continue;
        }
        *at = notes->next;
        sqlite_port_recycle(port, notes);
    }
}

static void remove_port(struct sqlite_store *store, struct sqlite_port *port)
{
    struct sqlite_port **at = &store->ports;
    while (*at != port)
        at = &(*at)->next;
    *at = port->next;
}

/* After its last answer the port is the loop's alone. True when the last one left and the store is over. */
static bool let_go(struct sqlite_store *store, struct sqlite_port *port)
{
    refuse(port, false, true, "the transport was closed");
    recycle_work(port);
    remove_port(store, port);
    bool last = sqlite_open_release(store);
    sqlite_port_answer(port, PORT_LEAVE, 0, UMBEL_OK);
    sqlite_port_deliver(port);
    return last;
}

/* Who asked for the end meanwhile is seen by the next cycle. */
static void calm_down(struct sqlite_store *store)
{
    pthread_mutex_lock(&store->lock);
    bool leaving = false;
    for (struct sqlite_port *port = store->ports; port; port = port->next)
        leaving |= port->leaving;
    if (!leaving)
        store->hurry_at = 0;
    pthread_mutex_unlock(&store->lock);
}

static bool deliver(struct sqlite_store *store)
{
    bool last = false;
    for (struct sqlite_port *port = store->ports, *next; port && !last; port = next) {
        next = port->next;
        recycle_work(port);
        if (port->leaving_now)
            last = let_go(store, port);
        else
            sqlite_port_deliver(port);
    }
    if (!last)
        calm_down(store);
    return last;
}

void sqlite_store_leave(struct sqlite_port *port, double grace)
{
    struct sqlite_store *store = port->store;
    double until = clock_mono() + grace;
    pthread_mutex_lock(&store->lock);
    port->leaving = true;
    if (store->hurry_at <= 0 || until < store->hurry_at)
        store->hurry_at = until;
    sqlite_store_signal(store); /* under the lock: afterwards the store may be gone */
    pthread_mutex_unlock(&store->lock);
}

/* ---- opening, waiting
 * -------------------------------------------------------------------------------------------- */

static void tell_failure(struct sqlite_store *store)
{
    for
        EACH_PORT(port, store)
        {
            refuse(port, true, true, store->why);
            if (strcmp(port->failed, store->why) == 0)
                continue;
            snprintf(port->failed, sizeof port->failed, "%s", store->why);
            struct note *note = sqlite_port_answer(port, PORT_STATE, 0, UMBEL_SYSTEM);
            sqlite_port_explain(port, note, store->why);
        }
}

static void try_open(struct sqlite_store *store)
{
    if (clock_mono() >= store->retry_at) {
        store->retry_at = 0;
        store->look = true;
        if (sqlite_open_file(store) == SQLITE_OK)
            return;
        store->retry_at = clock_mono() + retry_open;
    }
    tell_failure(store);
}

void sqlite_store_signal(struct sqlite_store *store)
{
    uint64_t one = 1;
    if (!__atomic_exchange_n(&store->signalled, true, __ATOMIC_SEQ_CST) &&
        write(store->event, &one, sizeof one) != sizeof one)
        __atomic_store_n(&store->signalled, false, __ATOMIC_SEQ_CST);
}

static double earliest(double a, double b)
{
    return b > 0 ? fmin(a, b) : a;
}

static struct timespec time_to_wait(const struct sqlite_store *store)
{
    double now = clock_mono();
    double until = store->db ? store->tick_at : store->retry_at;
    until = earliest(until, store->again_at);
    if (store->retry_at > now)
        until = earliest(until, store->retry_at);
    else if (store->due_at > 0) /* while nothing can be written, what is due would keep us spinning */
        until = earliest(until, now + store->due_at - clock_now() + 0.0005);
    double wait = fmax(0, until - now);
    return (struct timespec){(time_t)wait, (long)((wait - floor(wait)) * 1e9)};
}

static void wait_for_more(struct sqlite_store *store)
{
    struct pollfd fds[] = {{store->event, POLLIN, 0}, {store->wake.sock, POLLIN, 0}};
    struct timespec wait = time_to_wait(store);
    ppoll(fds, 2, &wait, NULL);
    uint64_t ignored;
    if (fds[0].revents && read(store->event, &ignored, sizeof ignored) == sizeof ignored)
        __atomic_store_n(&store->signalled, false, __ATOMIC_SEQ_CST);
    double now = clock_mono();
    bool again = store->again_at > 0 && now >= store->again_at;
    if (again)
        store->again_at = 0;
    store->look |= sqlite_wake_drain(&store->wake) || again || now >= store->tick_at;
}

void *sqlite_store_thread(void *arg)
{
    struct sqlite_store *store = arg;
    do {
        wait_for_more(store);
        collect(store);
        if (!store->db)
            try_open(store);
        if (store->db)
            cycle(store);
    } while (!deliver(store));
    sqlite_open_free(store);
    return NULL;
}
