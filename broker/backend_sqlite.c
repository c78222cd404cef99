/* backend_sqlite.c: results in a file that many processes of one machine share; no server.
 *
 * The loop's side: calls become notes (sqlite_port.h), answers become events. The SQL is in sqlite_result.c,
 * on the database's thread. `stored` comes when the transaction has reached the disk. */
#include "broker/backend_sqlite.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include "broker/sqlite_parts.h"
#include "broker/sqlite_result.h"
#include "common/clock.h"

static const double expires_default = 86400;
static const double for_ever = 1e18; /* seconds since the epoch */

struct sqlite_backend {
    struct backend base;
    struct sqlite_port port;
    struct sqlite_results results; /* the thread's */
    const struct backend_events *events;
    void *self;
    double expires;
    void (*closed)(void *self);
    void *closed_self;
};

static struct sqlite_backend *of_port(struct sqlite_port *port)
{
    return (struct sqlite_backend *)((char *)port - offsetof(struct sqlite_backend, port));
}

static double expiry(const struct sqlite_backend *sb)
{
    return sb->expires < 0 ? for_ever : clock_now() + sb->expires;
}

/* ---- asking
 * ------------------------------------------------------------------------------------------------------ */

static struct note *ask(struct sqlite_backend *sb, int kind, unsigned flags, umbel_str text, uint64_t token)
{
    struct note *note = sb->port.closing ? NULL : sqlite_port_ask(&sb->port, kind, flags);
    if (!note)
        return NULL;
    note->token = token;
    if (notes_text(sb->port.asking, note, 0, text))
        return note;
    notes_drop(sb->port.asking);
    return NULL;
}

static void store_result(struct backend *backend, const struct backend_store *store, uint64_t token)
{
    struct sqlite_backend *sb = (struct sqlite_backend *)backend;
    struct note *note = ask(sb, RESULT_STORE, NOTE_WRITES | NOTE_SYNC, store->id, token);
    if (!note)
        return;
    note->flags |= (store->terminal ? RESULT_TERMINAL : 0u) |
                   (store->overwrite_terminal ? RESULT_OVERWRITE : 0u) |
                   (store->has_parts ? RESULT_HAS_PARTS : 0u);
    note->when = expiry(sb);
    if (!notes_text(sb->port.asking, note, 1, store->payload) ||
        !notes_text(sb->port.asking, note, 2, store->reply_channel))
        notes_drop(sb->port.asking);
}

static void add_part(struct backend *backend, const struct backend_part *part, uint64_t token)
{
    struct sqlite_backend *sb = (struct sqlite_backend *)backend;
    struct note *note = ask(sb, RESULT_PART, NOTE_WRITES, part->id, token);
    if (!note)
        return;
    note->flags |= part->overwrite_terminal ? RESULT_OVERWRITE : 0u;
    note->when = expiry(sb);
    note->number = part->number;
    if (!notes_text(sb->port.asking, note, 1, part->payload) ||
        !notes_text(sb->port.asking, note, 2, part->reply_channel) ||
        !notes_text(sb->port.asking, note, 3, part->run))
        notes_drop(sb->port.asking);
}

static void read_parts(struct backend *backend, umbel_str id, uint32_t from, uint64_t token)
{
    struct note *note = ask((struct sqlite_backend *)backend, RESULT_PARTS, 0, id, token);
    if (note)
        note->number = from;
}

static void lookup(struct backend *backend, const umbel_str *ids, size_t count, uint64_t token)
{
    for (size_t i = 0; i < count; i++)
        ask((struct sqlite_backend *)backend, RESULT_LOOKUP, 0, ids[i], token);
}

static void listen_channel(struct backend *backend, umbel_str channel, uint64_t token)
{
    ask((struct sqlite_backend *)backend, RESULT_LISTEN, NOTE_WRITES | NOTE_KEEP, channel, token);
}

static void watch(struct backend *backend, const umbel_str *ids, size_t count, uint64_t token)
{
    struct sqlite_backend *sb = (struct sqlite_backend *)backend;
    for (size_t i = 0; i < count; i++)
        ask(sb, RESULT_WATCH, NOTE_KEEP, ids[i], 0);
    ask(sb, RESULT_WATCHED, NOTE_KEEP, STR_NONE, token);
}

static void unwatch(struct backend *backend, const umbel_str *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ask((struct sqlite_backend *)backend, RESULT_UNWATCH, NOTE_KEEP, ids[i], 0);
}

static void forget(struct backend *backend, umbel_str id)
{
    ask((struct sqlite_backend *)backend, RESULT_FORGET, NOTE_WRITES | NOTE_KEEP, id, 0);
}

static void begin(struct backend *backend, umbel_str id, uint64_t token)
{
    struct sqlite_backend *sb = (struct sqlite_backend *)backend;
    struct note *note = ask(sb, RESULT_BEGIN, NOTE_WRITES, id, token);
    if (note)
        note->when = expiry(sb);
}

static void end_mark(struct backend *backend, umbel_str id)
{
    ask((struct sqlite_backend *)backend, RESULT_END_MARK, NOTE_WRITES | NOTE_KEEP, id, 0);
}

static void keep_revoked(struct backend *backend, const struct backend_revocation *list, size_t count)
{
    struct sqlite_backend *sb = (struct sqlite_backend *)backend;
    for (size_t i = 0; i < count; i++) {
        struct note *note = ask(sb, RESULT_REVOKE, NOTE_WRITES | NOTE_KEEP, list[i].id, 0);
        if (note)
            note->when = list[i].until;
    }
}

static void list_revoked(struct backend *backend, uint64_t token)
{
    ask((struct sqlite_backend *)backend, RESULT_REVOKED, 0, STR_NONE, token);
}

/* ---- being told
 * -------------------------------------------------------------------------------------------------- */

static void told_begun(struct sqlite_backend *sb, const struct note *note)
{
    struct backend_history history = {(note->flags & RESULT_TERMINAL) != 0, (uint32_t)note->number};
    sb->events->begun(sb->self, note->token, note->code, history);
}

static void told_revoked(struct sqlite_backend *sb, const struct notes *notes, const struct note *note)
{
    umbel_str packed = note_text(notes, note, 1);
    struct backend_revocation *list = calloc(note->number + 1, sizeof *list);
    size_t count = 0;
    while (list && count < note->number && sqlite_results_unpack(&packed, &list[count]))
        count++;
    if (sb->events->revoked)
        sb->events->revoked(sb->self, note->token, list ? note->code : UMBEL_BACKEND_REFUSED, list, count);
    free(list);
}

static void told_parts(struct sqlite_backend *sb, const struct notes *notes, const struct note *note)
{
    umbel_str payloads[BACKEND_PARTS_READ], packed = note_text(notes, note, 1);
    size_t count = 0;
    while (count < BACKEND_PARTS_READ && sqlite_parts_unpack(&packed, &payloads[count]))
        count++;
    if (sb->events->parts)
        sb->events->parts(sb->self, note->token, note->code, note_text(notes, note, 0), payloads, count);
}

/* While it closes only what was asked for is answered. */
static void told_unasked(struct sqlite_backend *sb, const struct notes *notes, const struct note *note)
{
    if (sb->port.closing)
        return;
    if (note->kind == RESULT_NOTICE)
        sb->events->notice(sb->self, note_text(notes, note, 1), note->token == AUDIENCE_CHANNEL);
    else if (note->kind == RESULT_SUBSCRIBED)
        sb->events->subscribed(sb->self, note->token);
    else
        sb->events->state(sb->self, note->code == UMBEL_OK ? BACKEND_UP : BACKEND_FAILED, note->code,
                          note->texts[0].size ? note_text(notes, note, 0).data : "");
}

static void told(struct sqlite_port *port, const struct notes *notes, const struct note *note)
{
    struct sqlite_backend *sb = of_port(port);
    if (!note)
        return;
    switch (note->kind) {
    case RESULT_STORE:
        sb->events->stored(sb->self, note->token, note->code,
                           note->texts[0].size ? note_text(notes, note, 0).data : umbel_strerror(note->code));
        break;
    case RESULT_LOOKUP:
        sb->events->found(sb->self, note->token, note->code, note_text(notes, note, 0),
                          note_text(notes, note, 1));
        break;
    case RESULT_BEGIN:
        told_begun(sb, note);
        break;
    case RESULT_PARTS:
        told_parts(sb, notes, note);
        break;
    case RESULT_REVOKED:
        told_revoked(sb, notes, note);
        break;
    default:
        told_unasked(sb, notes, note);
    }
}

/* ---- the thread's side
 * ------------------------------------------------------------------------------------------- */

static int join(struct sqlite_port *port)
{
    return sqlite_results_join(&of_port(port)->results, port);
}

static int write_note(struct sqlite_port *port, const struct notes *notes, const struct note *note)
{
    return sqlite_results_write(&of_port(port)->results, port, notes, note);
}

static int finish(struct sqlite_port *port)
{
    return sqlite_results_finish(&of_port(port)->results, port);
}

static bool wants(struct sqlite_port *port)
{
    return sqlite_results_want(&of_port(port)->results);
}

static void ended(struct sqlite_port *port, bool committed)
{
    sqlite_results_ended(&of_port(port)->results, committed);
}

static int read_note(struct sqlite_port *port, const struct notes *notes, const struct note *note)
{
    return sqlite_results_read(&of_port(port)->results, port, notes, note);
}

static void refuse(struct sqlite_port *port, const struct notes *notes, const struct note *note, bool away,
                   const char *why)
{
    int code = away ? UMBEL_BACKEND_AWAY : UMBEL_BACKEND_REFUSED;
    if (note->kind == RESULT_LOOKUP || note->kind == RESULT_PARTS) {
        struct note *answer = sqlite_port_answer(port, note->kind, note->token, code);
        if (answer)
            notes_text(port->answers, answer, 0, note_text(notes, note, 0));
    } else if (note->kind == RESULT_STORE || note->kind == RESULT_PART) {
        sqlite_port_explain(port, sqlite_port_answer(port, RESULT_STORE, note->token, code), why);
    } else if (note->kind == RESULT_BEGIN) {
        sqlite_port_answer(port, RESULT_BEGIN, note->token, code);
    } else if (note->kind == RESULT_REVOKED) {
        sqlite_port_answer(port, RESULT_REVOKED, note->token, code);
    }
}

static void leave(struct sqlite_port *port)
{
    sqlite_store_orphan(port->store, of_port(port)->results.owner);
}

/* ---- opening and closing
 * ----------------------------------------------------------------------------------------- */

static void left(struct sqlite_port *port)
{
    struct sqlite_backend *sb = of_port(port);
    void (*closed)(void *) = sb->closed;
    void *self = sb->closed_self;
    sqlite_results_free(&sb->results);
    free(sb);
    if (closed) /* NULL: it never opened */
        closed(self);
}

static void close_backend(struct backend *backend, double grace, void (*closed)(void *self), void *self)
{
    struct sqlite_backend *sb = (struct sqlite_backend *)backend;
    sb->closed = closed;
    sb->closed_self = self;
    sqlite_port_close(&sb->port, grace);
}

static const struct sqlite_port_ops port_ops = {
    .join = join,
    .write = write_note,
    .finish = finish,
    .wants = wants,
    .ended = ended,
    .read = read_note,
    .refuse = refuse,
    .leave = leave,
    .told = told,
    .left = left,
};

static int open_backend(struct backend **out, struct loop *loop, const struct url *url,
                        const struct backend_options *options, const struct backend_events *events,
                        void *self, const char **why)
{
    struct sqlite_backend *sb = calloc(1, sizeof *sb);
    *why = "out of memory";
    if (!sb)
        return UMBEL_NO_MEMORY;
    sb->base.ops = &backend_sqlite;
    sb->events = events;
    sb->self = self;
    sb->expires = options->expires != 0 ? options->expires : expires_default;
    sqlite_results_init(&sb->results);
    *out = &sb->base;
    return sqlite_port_open(&sb->port, loop, url->path, &port_ops, why);
}

const struct backend_ops backend_sqlite = {
    .scheme = "sqlite",
    .open = open_backend,
    .store = store_result,
    .add_part = add_part,
    .read_parts = read_parts,
    .lookup = lookup,
    .listen = listen_channel,
    .watch = watch,
    .unwatch = unwatch,
    .forget = forget,
    .begin = begin,
    .end_mark = end_mark,
    .revoke = keep_revoked,
    .list_revoked = list_revoked,
    .close = close_backend,
};
