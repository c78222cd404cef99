/* sqlite_result.c: see sqlite_result.h.
 *
 * A notice is not sent but read: every change of a result gets the next number, and who listens or watches
 * reads the rows behind the last number it saw, each time it is woken. So a lost datagram costs time, never a
 * notice. */
#include "broker/sqlite_result.h"

#include <stdlib.h>
#include "broker/sqlite_parts.h"
#include "common/clock.h"

void sqlite_results_init(struct sqlite_results *results)
{
    *results = (struct sqlite_results){0};
    audience_init(&results->audience);
}

void sqlite_results_free(struct sqlite_results *results)
{
    audience_fini(&results->audience);
    free(results->watched);
}

/* ---- storing
 * ----------------------------------------------------------------------------------------------------- */

/* One statement: a terminal state that stands and has not expired is not replaced, whoever else is at it. */
static int store_result(struct sqlite_port *port, const struct notes *notes, const struct note *note)
{
    struct sqlite_store *store = port->store;
    umbel_str payload = note_text(notes, note, 1), channel = note_text(notes, note, 2);
    sqlite3_stmt *put = sqlite_store_sql(store, SQL_STORE);
    sqlite3_bind_int64(put, 1, sqlite_store_number(store));
    sqlite_bind_str(put, 2, note_text(notes, note, 0));
    sqlite_bind_str(put, 3, channel);
    sqlite3_bind_int(put, 4, (note->flags & RESULT_TERMINAL) != 0);
    sqlite3_bind_double(put, 5, note->when);
    sqlite3_bind_blob64(put, 6, payload.data ? payload.data : "", payload.size, SQLITE_STATIC);
    sqlite3_bind_double(put, 7, clock_now());
    sqlite3_bind_int(put, 8, (note->flags & RESULT_OVERWRITE) != 0);
    int rc = sqlite_store_run(put);
    if (rc != SQLITE_OK)
        return rc;
    bool stored = sqlite3_changes(store->db) > 0;
    if (stored)
        sqlite_store_touch_channel(store, channel);
    if (stored && (note->flags & RESULT_HAS_PARTS))
        rc = sqlite_parts_keep(store, note_text(notes, note, 0), note->when);
    if (rc != SQLITE_OK)
        return rc;
    sqlite_port_answer(port, RESULT_STORE, note->token, stored ? UMBEL_OK : UMBEL_ALREADY_DONE);
    return SQLITE_OK;
}

static int run_for_id(struct sqlite_store *store, enum sqlite_sql which, umbel_str id)
{
    sqlite3_stmt *statement = sqlite_store_sql(store, which);
    sqlite_bind_str(statement, 1, id);
    return sqlite_store_run(statement);
}

static int forget(struct sqlite_store *store, umbel_str id)
{
    int rc = run_for_id(store, SQL_FORGET, id);
    return rc == SQLITE_OK ? sqlite_parts_drop(store, id) : rc;
}

static int keep_revoked(struct sqlite_port *port, umbel_str id, const struct note *note)
{
    sqlite3_stmt *statement = sqlite_store_sql(port->store, SQL_REVOKE);
    sqlite_bind_str(statement, 1, id);
    sqlite3_bind_double(statement, 2, note->when);
    return sqlite_store_run(statement);
}

static int begin(struct sqlite_port *port, umbel_str id, const struct note *note)
{
    sqlite3_stmt *mark = sqlite_store_sql(port->store, SQL_MARK);
    sqlite_bind_str(mark, 1, id);
    sqlite3_bind_double(mark, 2, note->when);
    int rc = sqlite_store_step(mark);
    int64_t starts = rc == SQLITE_ROW ? sqlite3_column_int64(mark, 0) - 1 : 0;
    rc = rc == SQLITE_ROW ? sqlite_store_run(mark)
                          : rc; /* to its end: a RETURNING is done when all rows are read */
    sqlite3_reset(mark);
    if (rc != SQLITE_OK)
        return rc;
    struct note *answer = sqlite_port_answer(port, RESULT_BEGIN, note->token, UMBEL_OK);
    if (answer) {
        answer->number = (uint64_t)starts;
        answer->flags = sqlite_parts_ended(port->store, id) ? RESULT_TERMINAL : 0;
    }
    return SQLITE_OK;
}

/* ---- who is woken
 * ------------------------------------------------------------------------------------------------ */

static int add_waiter(struct sqlite_results *results, struct sqlite_store *store, enum waiter_kind kind,
                      umbel_str name)
{
    sqlite3_stmt *add = sqlite_store_sql(store, SQL_WAITER_ADD);
    sqlite3_bind_int(add, 1, (int)kind);
    sqlite_bind_str(add, 2, name);
    sqlite3_bind_int64(add, 3, results->owner);
    sqlite3_bind_int64(add, 4, 0);
    sqlite3_bind_int64(add, 5, store->wake.number);
    sqlite3_bind_int(add, 6, 0);
    return sqlite_store_run(add);
}

/* From here on nothing is missed. */
static void start_reading(struct sqlite_results *results, struct sqlite_store *store)
{
    if (!results->reading)
        results->cursor = sqlite_store_last(store);
    results->reading = true;
}

static int listen_channel(struct sqlite_results *results, struct sqlite_port *port, umbel_str channel,
                          const struct note *note)
{
    if (!audience_add(&results->audience, AUDIENCE_CHANNEL, channel))
        return SQLITE_NOMEM;
    start_reading(results, port->store);
    sqlite_port_answer(port, RESULT_SUBSCRIBED, note->token, UMBEL_OK);
    return add_waiter(results, port->store, WAITER_CHANNEL, channel);
}

/* Watched tasks are not written down in the file, for there may be very many: to be woken at every result is
 * enough. */
static int watched(struct sqlite_results *results, struct sqlite_port *port, uint64_t token)
{
    if (results->registered) {
        sqlite_port_answer(port, RESULT_SUBSCRIBED, token, UMBEL_OK);
        return SQLITE_OK;
    }
    if (results->watched_count == results->watched_size) {
        size_t size = results->watched_size ? results->watched_size * 2 : 8;
        uint64_t *tokens = realloc(results->watched, size * sizeof *tokens);
        if (!tokens)
            return SQLITE_NOMEM;
        results->watched = tokens;
        results->watched_size = size;
    }
    results->watched[results->watched_count++] = token;
    port->store->again_at = clock_mono(); /* to register in a transaction that writes */
    return SQLITE_OK;
}

int sqlite_results_finish(struct sqlite_results *results, struct sqlite_port *port)
{
    if (results->watched_count == 0)
        return SQLITE_OK;
    for (size_t i = 0; i < results->watched_count; i++)
        sqlite_port_answer(port, RESULT_SUBSCRIBED, results->watched[i], UMBEL_OK);
    return add_waiter(results, port->store, WAITER_ALL, STR(""));
}

void sqlite_results_ended(struct sqlite_results *results, bool committed)
{
    if (!committed || results->watched_count == 0)
        return;
    results->registered = true;
    results->watched_count = 0;
}

bool sqlite_results_want(struct sqlite_results *results)
{
    return results->watched_count > 0;
}

/* ---- reading
 * ----------------------------------------------------------------------------------------------------- */

static int lookup(struct sqlite_port *port, umbel_str id, const struct note *note)
{
    sqlite3_stmt *lookup = sqlite_store_sql(port->store, SQL_LOOKUP);
    sqlite_bind_str(lookup, 1, id);
    sqlite3_bind_double(lookup, 2, clock_now());
    int rc = sqlite_store_step(lookup);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        umbel_str payload = rc == SQLITE_ROW ? sqlite_column_str(lookup, 0) : STR_NONE;
        struct note *answer = sqlite_port_answer(port, RESULT_LOOKUP, note->token, UMBEL_OK);
        if (answer) {
            notes_text(port->answers, answer, 0, id);
            notes_text(port->answers, answer, 1, payload);
        }
        rc = SQLITE_OK;
    }
    sqlite3_reset(lookup);
    return rc;
}

static int list_revoked(struct sqlite_port *port, const struct note *note)
{
    struct note *answer = sqlite_port_answer(port, RESULT_REVOKED, note->token, UMBEL_OK);
    sqlite3_stmt *list = sqlite_store_sql(port->store, SQL_REVOKED);
    size_t from = port->answers->bytes.end;
    int rc;
    sqlite3_bind_double(list, 1, clock_now());
    sqlite3_bind_int(list, 2, BACKEND_REVOKED_MAX);
    while ((rc = sqlite3_step(list)) == SQLITE_ROW && answer) {
        umbel_str id = sqlite_column_str(list, 0);
        double until = sqlite3_column_double(list, 1);
        buffer_add(&port->answers->bytes, &until, sizeof until);
        buffer_add(&port->answers->bytes, &id.size, sizeof id.size);
        buffer_str(&port->answers->bytes, id);
        answer->number++;
    }
    sqlite3_reset(list);
    if (answer)
        notes_text_since(port->answers, answer, 1, from);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

bool sqlite_results_unpack(umbel_str *packed, struct backend_revocation *out)
{
    size_t head = sizeof out->until + sizeof out->id.size;
    if (packed->size < head)
        return false;
    memcpy(&out->until, packed->data, sizeof out->until);
    memcpy(&out->id.size, packed->data + sizeof out->until, sizeof out->id.size);
    out->id.data = packed->data + head;
    packed->data += head + out->id.size;
    packed->size -= head + out->id.size;
    return true;
}

static int read_feed(struct sqlite_results *results, struct sqlite_port *port)
{
    if (!results->reading)
        return SQLITE_OK;
    if (results->audience.names.count == 0) {
        results->reading = false;
        return SQLITE_OK;
    }
    sqlite3_stmt *feed = sqlite_store_sql(port->store, SQL_FEED);
    sqlite3_bind_int64(feed, 1, results->cursor);
    int rc;
    while ((rc = sqlite3_step(feed)) == SQLITE_ROW) {
        results->cursor = sqlite3_column_int64(feed, 0);
        enum audience_kind wanted =
            audience_wants(&results->audience, sqlite_column_str(feed, 1), sqlite_column_str(feed, 2));
        if (wanted == AUDIENCE_NOBODY)
            continue;
        struct note *notice = sqlite_port_answer(port, RESULT_NOTICE, wanted, UMBEL_OK);
        if (notice)
            notes_text(port->answers, notice, 1, sqlite_column_str(feed, 3));
    }
    sqlite3_reset(feed);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sqlite_results_read(struct sqlite_results *results, struct sqlite_port *port, const struct notes *notes,
                        const struct note *note)
{
    if (!note)
        return read_feed(results, port);
    umbel_str text = note_text(notes, note, 0);
    switch (note->kind) {
    case RESULT_LOOKUP:
        return lookup(port, text, note);
    case RESULT_REVOKED:
        return list_revoked(port, note);
    case RESULT_PARTS:
        return sqlite_parts_read(port, text, note);
    case RESULT_WATCH:
        start_reading(results, port->store);
        return audience_add(&results->audience, AUDIENCE_TASK, text) ? SQLITE_OK : SQLITE_NOMEM;
    case RESULT_WATCHED:
        return watched(results, port, note->token);
    case RESULT_UNWATCH:
        audience_drop(&results->audience, AUDIENCE_TASK, text);
        return SQLITE_OK;
    default:
        return SQLITE_OK;
    }
}

/* ---- writing
 * ----------------------------------------------------------------------------------------------------- */

int sqlite_results_join(struct sqlite_results *results, struct sqlite_port *port)
{
    sqlite3_stmt *add = sqlite_store_sql(port->store, SQL_OWNER_ADD);
    sqlite3_bind_int64(add, 1, port->store->wake.number);
    int rc = sqlite_store_run(add);
    results->owner = sqlite3_last_insert_rowid(port->store->db);
    sqlite_port_answer(port, PORT_STATE, 0, UMBEL_OK);
    return rc;
}

int sqlite_results_write(struct sqlite_results *results, struct sqlite_port *port, const struct notes *notes,
                         const struct note *note)
{
    umbel_str text = note_text(notes, note, 0);
    switch (note->kind) {
    case RESULT_STORE:
        return store_result(port, notes, note);
    case RESULT_LISTEN:
        return listen_channel(results, port, text, note);
    case RESULT_PART:
        return sqlite_parts_add(port, notes, note);
    case RESULT_FORGET:
        return forget(port->store, text);
    case RESULT_BEGIN:
        return begin(port, text, note);
    case RESULT_END_MARK:
        return run_for_id(port->store, SQL_UNMARK, text);
    case RESULT_REVOKE:
        return keep_revoked(port, text, note);
    default:
        return SQLITE_OK;
    }
}
