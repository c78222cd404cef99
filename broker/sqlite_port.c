/* sqlite_port.c: see sqlite_port.h. */
#include "broker/sqlite_port.h"

#include "broker/sqlite_store.h"

static void append(struct notes **list, struct notes *notes)
{
    while (*list)
        list = &(*list)->next;
    *list = notes;
}

static struct notes *take_spare(struct sqlite_port *port)
{
    pthread_mutex_lock(&port->lock);
    struct notes *notes = port->spare;
    if (notes)
        port->spare = notes->next;
    pthread_mutex_unlock(&port->lock);
    if (!notes)
        return notes_new();
    notes->next = NULL;
    return notes;
}

void sqlite_port_recycle(struct sqlite_port *port, struct notes *notes)
{
    notes_clear(notes);
    pthread_mutex_lock(&port->lock);
    notes->next = port->spare;
    port->spare = notes;
    pthread_mutex_unlock(&port->lock);
}

/* ---- the loop's side
 * --------------------------------------------------------------------------------------------- */

static void hand_over(void *self)
{
    struct sqlite_port *port = self;
    struct notes *notes = port->asking;
    if (!notes)
        return;
    port->asking = NULL;
    pthread_mutex_lock(&port->lock);
    append(&port->asked, notes);
    pthread_mutex_unlock(&port->lock);
    sqlite_store_signal(port->store);
}

struct note *sqlite_port_ask(struct sqlite_port *port, int kind, unsigned flags)
{
    if (!port->asking && !(port->asking = take_spare(port)))
        return NULL;
    struct note *note = notes_add(port->asking, kind);
    if (!note)
        return NULL;
    note->flags = flags;
    loop_mark(port->loop, &port->hook);
    return note;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct sqlite_port *port = handle->data;
    notes_free_all(port->asked);
    notes_free_all(port->answered);
    notes_free_all(port->spare);
    notes_free(port->asking);
    pthread_mutex_destroy(&port->lock);
    port->ops->left(port);
}

static void tell_all(struct sqlite_port *port, const struct notes *notes)
{
    for (size_t i = 0; i < notes->count; i++) {
        if (notes->items[i].kind != PORT_LEAVE) {
            port->ops->told(port, notes, &notes->items[i]);
            continue;
        }
        loop_unmark(port->loop, &port->hook);
        uv_close((uv_handle_t *)&port->wake, on_handle_closed);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct sqlite_port *port = wake->data;
    pthread_mutex_lock(&port->lock);
    struct notes *notes = port->answered;
    port->answered = NULL;
    pthread_mutex_unlock(&port->lock);
    while (notes) {
        struct notes *next = notes->next;
        tell_all(port, notes);
        sqlite_port_recycle(port, notes);
        notes = next;
    }
    if (!port->closing)
        port->ops->told(port, NULL, NULL);
}

int sqlite_port_open(struct sqlite_port *port, struct loop *loop, umbel_str path,
                     const struct sqlite_port_ops *ops, const char **why)
{
    port->ops = ops;
    port->loop = loop;
    port->hook = (struct turn_hook){.call = hand_over, .self = port};
    pthread_mutex_init(&port->lock, NULL);
    uv_async_init(&loop->uv, &port->wake, on_wake);
    port->wake.data = port;
    int code = sqlite_store_enter(port, path, why);
    if (code != UMBEL_OK) { /* the caller's memory outlives the handle: left() frees it */
        port->closing = true;
        uv_close((uv_handle_t *)&port->wake, on_handle_closed);
    }
    return code;
}

/* Memory may be out, but leaving must not fail: the port itself is the note. */
void sqlite_port_close(struct sqlite_port *port, double grace)
{
    port->closing = true;
    hand_over(port);
    sqlite_store_leave(port, grace);
}

/* ---- the thread's side
 * ------------------------------------------------------------------------------------------- */

void sqlite_port_collect(struct sqlite_port *port)
{
    pthread_mutex_lock(&port->lock);
    struct notes *notes = port->asked;
    port->asked = NULL;
    pthread_mutex_unlock(&port->lock);
    append(&port->work, notes);
}

struct note *sqlite_port_answer(struct sqlite_port *port, int kind, uint64_t token, int code)
{
    if (!port->answers && !(port->answers = take_spare(port)))
        return NULL;
    struct note *note = notes_add(port->answers, kind);
    if (!note)
        return NULL;
    note->token = token;
    note->code = code;
    return note;
}

void sqlite_port_explain(struct sqlite_port *port, struct note *note, const char *why)
{
    if (!note || !why)
        return;
    notes_text(port->answers, note, 0, str_of(why));
    buffer_byte(&port->answers->bytes, 0); /* so that it can be passed on as it is */
}

void sqlite_port_deliver(struct sqlite_port *port)
{
    struct notes *notes = port->answers;
    if (!notes)
        return;
    port->answers = NULL;
    /* Under the lock: afterwards the loop may have read the last answer, and the port is gone. */
    pthread_mutex_lock(&port->lock);
    append(&port->answered, notes);
    uv_async_send(&port->wake);
    pthread_mutex_unlock(&port->lock);
}
