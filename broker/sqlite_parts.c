/* sqlite_parts.c: see sqlite_parts.h. The rule is part_decide's; the transaction makes it one step. */
#include "broker/sqlite_parts.h"

#include "broker/part_list.h"
#include "common/clock.h"

bool sqlite_parts_ended(struct sqlite_store *store, umbel_str id)
{
    sqlite3_stmt *terminal = sqlite_store_sql(store, SQL_TERMINAL);
    sqlite_bind_str(terminal, 1, id);
    sqlite3_bind_double(terminal, 2, clock_now());
    bool is = sqlite_store_step(terminal) == SQLITE_ROW && sqlite3_column_int(terminal, 0);
    sqlite3_reset(terminal);
    return is;
}

static enum part_verdict decide(struct sqlite_store *store, const struct backend_part *part)
{
    sqlite3_stmt *last = sqlite_store_sql(store, SQL_PART_LAST);
    sqlite_bind_str(last, 1, part->id);
    bool any = sqlite_store_step(last) == SQLITE_ROW;
    enum part_verdict verdict = part_decide(any ? sqlite_column_str(last, 0) : STR_NONE,
                                            any ? (uint32_t)sqlite3_column_int64(last, 1) + 1 : 0, part);
    sqlite3_reset(last);
    return verdict;
}

static int insert(struct sqlite_store *store, const struct backend_part *part, double until)
{
    sqlite3_stmt *add = sqlite_store_sql(store, SQL_PART_ADD);
    sqlite3_bind_int64(add, 1, sqlite_store_number(store));
    sqlite_bind_str(add, 2, part->id);
    sqlite_bind_str(add, 3, part->run);
    sqlite3_bind_int64(add, 4, part->number);
    sqlite_bind_str(add, 5, part->reply_channel);
    sqlite3_bind_double(add, 6, until);
    sqlite3_bind_blob64(add, 7, part->payload.data, part->payload.size, SQLITE_STATIC);
    int rc = sqlite_store_run(add);
    if (rc == SQLITE_OK)
        sqlite_store_touch_channel(store, part->reply_channel);
    return rc;
}

int sqlite_parts_drop(struct sqlite_store *store, umbel_str id)
{
    sqlite3_stmt *drop = sqlite_store_sql(store, SQL_PARTS_DROP);
    sqlite_bind_str(drop, 1, id);
    return sqlite_store_run(drop);
}

int sqlite_parts_keep(struct sqlite_store *store, umbel_str id, double until)
{
    sqlite3_stmt *keep = sqlite_store_sql(store, SQL_PARTS_KEEP);
    sqlite_bind_str(keep, 1, id);
    sqlite3_bind_double(keep, 2, until);
    return sqlite_store_run(keep);
}

int sqlite_parts_add(struct sqlite_port *port, const struct notes *notes, const struct note *note)
{
    struct backend_part part = {.id = note_text(notes, note, 0),
                                .payload = note_text(notes, note, 1),
                                .reply_channel = note_text(notes, note, 2),
                                .run = note_text(notes, note, 3),
                                .number = (uint32_t)note->number};
    bool ended = !(note->flags & RESULT_OVERWRITE) && sqlite_parts_ended(port->store, part.id);
    enum part_verdict verdict = ended ? PART_SUPERSEDED : decide(port->store, &part);
    int rc = verdict == PART_BEGIN ? sqlite_parts_drop(port->store, part.id) : SQLITE_OK;
    if (rc == SQLITE_OK && (verdict == PART_BEGIN || verdict == PART_APPEND))
        rc = insert(port->store, &part, note->when);
    if (rc != SQLITE_OK)
        return rc;
    sqlite_port_answer(port, RESULT_STORE, note->token,
                       verdict == PART_SUPERSEDED  ? UMBEL_ALREADY_DONE
                       : verdict == PART_TOO_EARLY ? UMBEL_BACKEND_REFUSED
                                                   : UMBEL_OK);
    return SQLITE_OK;
}

int sqlite_parts_read(struct sqlite_port *port, umbel_str id, const struct note *note)
{
    struct note *answer = sqlite_port_answer(port, RESULT_PARTS, note->token, UMBEL_OK);
    if (!answer)
        return SQLITE_NOMEM;
    notes_text(port->answers, answer, 0, id);
    size_t from = port->answers->bytes.end;
    sqlite3_stmt *parts = sqlite_store_sql(port->store, SQL_PARTS);
    sqlite_bind_str(parts, 1, id);
    sqlite3_bind_int64(parts, 2, (int64_t)note->number);
    sqlite3_bind_double(parts, 3, clock_now());
    sqlite3_bind_int(parts, 4, BACKEND_PARTS_READ);
    int rc;
    while ((rc = sqlite_store_step(parts)) == SQLITE_ROW) {
        umbel_str payload = sqlite_column_str(parts, 0);
        buffer_add(&port->answers->bytes, &payload.size, sizeof payload.size);
        buffer_str(&port->answers->bytes, payload);
    }
    sqlite3_reset(parts);
    notes_text_since(port->answers, answer, 1, from);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

bool sqlite_parts_unpack(umbel_str *packed, umbel_str *payload)
{
    size_t size;
    return str_take_bytes(packed, &size, sizeof size) && str_take(packed, size, payload);
}
