/* sqlite_tidy.c: what keeps a shared file in order: messages of the dead and the departed go back, delayed
 * ones become ready, expired results go away, and those who wait are woken. */
#include <stdlib.h>
#include "broker/sqlite_store.h"
#include "common/clock.h"

static bool push(int64_t **list, size_t *count, size_t *size, int64_t number)
{
    if (*count == *size) {
        size_t wanted = *size ? *size * 2 : 16;
        int64_t *grown = realloc(*list, wanted * sizeof *grown);
        if (!grown)
            return false;
        *list = grown;
        *size = wanted;
    }
    (*list)[(*count)++] = number;
    return true;
}

static int run_for(struct sqlite_store *store, enum sqlite_sql which, int64_t number)
{
    sqlite3_stmt *statement = sqlite_store_sql(store, which);
    sqlite3_bind_int64(statement, 1, number);
    return sqlite_store_run(statement);
}

/* ---- owners
 * ------------------------------------------------------------------------------------------------------ */

/* When memory is out they go back with the process. */
void sqlite_store_orphan(struct sqlite_store *store, int64_t owner)
{
    push(&store->orphans, &store->orphan_count, &store->orphan_size, owner);
}

int sqlite_tidy_orphans(struct sqlite_store *store)
{
    static const enum sqlite_sql steps[] = {SQL_OWNER_RETURN, SQL_WAITERS_DROP, SQL_OWNER_DROP};
    int rc = SQLITE_OK;
    for (size_t i = 0; i < store->orphan_count && rc == SQLITE_OK; i++)
        for (size_t step = 0; step < 3 && rc == SQLITE_OK; step++)
            rc = run_for(store, steps[step], store->orphans[i]);
    if (store->orphan_count)
        store->touched.everything = true;
    return rc;
}

static size_t find_dead(struct sqlite_store *store)
{
    store->home_count = 0;
    sqlite3_stmt *homes = sqlite_store_sql(store, SQL_HOMES);
    sqlite3_bind_int64(homes, 1, store->wake.number);
    while (sqlite3_step(homes) == SQLITE_ROW) {
        int64_t home = sqlite3_column_int64(homes, 0);
        if (home && !sqlite_wake_lives(&store->wake, home))
            push(&store->homes, &store->home_count, &store->home_size, home);
    }
    sqlite3_reset(homes);
    return store->home_count;
}

/* The dead are looked for again inside the transaction: a number is locked before its row can be seen. */
static void bury_dead(struct sqlite_store *store)
{
    static const enum sqlite_sql steps[] = {SQL_HOME_RETURN, SQL_HOME_FORGET, SQL_HOME_DROP};
    int rc = sqlite_store_begin(store, false);
    if (rc != SQLITE_OK)
        return;
    for (size_t left = find_dead(store); left && rc == SQLITE_OK; left--) {
        int64_t home = store->homes[left - 1];
        for (size_t step = 0; step < 3 && rc == SQLITE_OK; step++)
            rc = run_for(store, steps[step], home);
        sqlite_wake_bury(&store->wake, home);
    }
    store->touched.everything = true;
    store->again_at = clock_mono(); /* ours may want them too */
    if (sqlite_store_end(store, rc) == SQLITE_OK)
        sqlite_tidy_wake_homes(store);
}

/* ---- time
 * -------------------------------------------------------------------------------------------------------- */

int sqlite_tidy_mature(struct sqlite_store *store)
{
    double now = clock_now();
    if (store->due_at <= 0 || store->due_at > now)
        return SQLITE_OK;
    sqlite3_stmt *mature = sqlite_store_sql(store, SQL_DUE_MATURE);
    sqlite3_bind_double(mature, 1, now);
    store->touched.everything = true;
    return sqlite_store_run(mature);
}

void sqlite_tidy_find_due(struct sqlite_store *store)
{
    sqlite3_stmt *next = sqlite_store_sql(store, SQL_DUE_NEXT);
    store->due_at = sqlite_store_step(next) == SQLITE_ROW ? sqlite3_column_double(next, 0) : 0;
    sqlite3_reset(next);
}

static bool any_expired(struct sqlite_store *store, double now)
{
    sqlite3_stmt *any = sqlite_store_sql(store, SQL_EXPIRED_ANY);
    sqlite3_bind_double(any, 1, now);
    bool found = sqlite_store_step(any) == SQLITE_ROW && sqlite3_column_int(any, 0);
    sqlite3_reset(any);
    return found;
}

/* A small batch at each tick, and the next one soon when there is more: writers wait in between. */
static void expire(struct sqlite_store *store)
{
    static const enum sqlite_sql steps[] = {SQL_EXPIRE, SQL_MARKS_EXPIRE, SQL_REVOKED_EXPIRE, SQL_PARTS_EXPIRE};
    double now = clock_now();
    if (!any_expired(store, now))
        return;
    int rc = sqlite_store_begin(store, false);
    if (rc != SQLITE_OK)
        return;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && rc == SQLITE_OK; i++) {
        sqlite3_stmt *statement = sqlite_store_sql(store, steps[i]);
        sqlite3_bind_double(statement, 1, now);
        rc = sqlite_store_run(statement);
    }
    if (sqlite_store_end(store, rc) == SQLITE_OK && any_expired(store, now))
        store->tick_at = clock_mono() + 0.05;
}

void sqlite_tidy_tick(struct sqlite_store *store)
{
    if (find_dead(store))
        bury_dead(store);
    expire(store);
}

/* ---- waking
 * ------------------------------------------------------------------------------------------------------ */

static bool channel_touched(const struct sqlite_touched *touched, umbel_str channel)
{
    if (touched->channel_count > CHANNELS_TOUCHED || channel.size >= CHANNEL_SIZE)
        return touched->results;
    for (size_t i = 0; i < touched->channel_count; i++)
        if (str_equal(str_of(touched->channels[i]), channel))
            return true;
    return false;
}

static bool is_touched(struct sqlite_store *store, enum waiter_kind kind, umbel_str name)
{
    const struct sqlite_touched *touched = &store->touched;
    if (touched->everything)
        return true;
    if (kind == WAITER_ALL)
        return touched->results;
    if (kind == WAITER_CHANNEL)
        return channel_touched(touched, name);
    const struct sqlite_queue *queue = (const struct sqlite_queue *)table_find(&store->queues, name);
    return queue && queue->touched;
}

static bool known_home(const struct sqlite_store *store, int64_t home)
{
    for (size_t i = 0; i < store->home_count; i++)
        if (store->homes[i] == home)
            return true;
    return false;
}

int sqlite_tidy_find_homes(struct sqlite_store *store)
{
    store->home_count = 0;
    if (!store->touched.queues && !store->touched.results && !store->touched.everything)
        return SQLITE_OK;
    sqlite3_stmt *waiters = sqlite_store_sql(store, SQL_WAITERS);
    sqlite3_bind_int64(waiters, 1, store->wake.number);
    int rc;
    while ((rc = sqlite3_step(waiters)) == SQLITE_ROW) {
        int64_t home = sqlite3_column_int64(waiters, 2);
        enum waiter_kind kind = (enum waiter_kind)sqlite3_column_int(waiters, 0);
        if (!known_home(store, home) && is_touched(store, kind, sqlite_column_str(waiters, 1)))
            push(&store->homes, &store->home_count, &store->home_size, home);
    }
    sqlite3_reset(waiters);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Nobody there: it died, and the tick that buries it is due now. */
void sqlite_tidy_wake_homes(struct sqlite_store *store)
{
    for (size_t i = 0; i < store->home_count; i++)
        if (!sqlite_wake_send(&store->wake, store->homes[i]))
            store->tick_at = 0;
    store->home_count = 0;
}
