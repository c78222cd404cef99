/* amqp_conn.c: login, heartbeats, goodbye and coming back. See amqp_conn.h.
 *
 * One timer serves every step, because each step waits for one thing: the next attempt, the end of a
 * handshake, the next heartbeat, the answer to a goodbye. */
#include "broker/amqp_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"

#define BACKOFF_FIRST_MS 100.0
#define BACKOFF_MOST_MS 2000.0
#define BACKOFF_HOPELESS_MS                                                                                  \
    3000.0             /* after refused credentials: soon enough for who corrects them, kind to the log */
#define STEADY_MS 5000 /* a connection that lived so long starts the count of failures anew */

static const struct amqp_address *address_of(const struct amqp_conn *conn)
{
    return &conn->options.addresses[conn->address];
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct amqp_conn *conn, double ms)
{
    uv_timer_start(&conn->timer, on_timer, ms > 0 ? (uint64_t)ms : 0, 0);
}

/* ---- beginning and losing ---- */

static void try_address(struct amqp_conn *conn)
{
    conn->step = CONN_CONNECTING;
    conn->life++;
    stream_connect(conn->stream, &address_of(conn)->stream, conn->options.connect_timeout);
}

/* One broker's refusal is an outage like others, as long as another of the list may take us. */
static int verdict(struct amqp_conn *conn, int code)
{
    bool refused = code == UMBEL_AUTH || code == UMBEL_TLS;
    conn->refusals = refused ? conn->refusals + 1 : 0;
    return refused && conn->refusals < conn->options.address_count ? UMBEL_BROKER_AWAY : code;
}

/* How long to wait before attempt `failures`, each address of the list counting once. */
static double backoff_ms(uint32_t failures, size_t addresses, int code)
{
    size_t rounds = failures / addresses;
    if (rounds == 0)
        return 0;
    if (code == UMBEL_AUTH)
        return BACKOFF_HOPELESS_MS;
    double most = BACKOFF_FIRST_MS;
    while (--rounds && most < BACKOFF_MOST_MS)
        most *= 2;
    if (most > BACKOFF_MOST_MS)
        most = BACKOFF_MOST_MS;
    return most *
           (0.5 + 0.5 * (double)(uv_hrtime() / 64 % 1024) / 1024); /* so that not all clients come at once */
}

static void drop(struct amqp_conn *conn)
{
    conn->life++;
    conn->blocked = false;
    conn->step = CONN_IDLE;
    uv_timer_stop(&conn->timer);
    stream_close(conn->stream);
    amqp_chan_forget_all(conn);
}

static void end(struct amqp_conn *conn)
{
    drop(conn);
    conn->events.ended(conn->self);
}

/* The first of its kind is news, the attempts after it are not. */
static void log_down(struct amqp_conn *conn, const char *name, int code, const char *why)
{
    umbel_level level = conn->told == code ? UMBEL_DEBUG : UMBEL_WARNING;
    conn->told = code;
    log_line(conn->options.log, level, "amqp", "RabbitMQ at %s, as %s: %s; trying again", name,
             conn->options.name, why);
}

void amqp_conn_break(struct amqp_conn *conn, int code, const char *why)
{
    char text[768];
    snprintf(text, sizeof text, "RabbitMQ at %s: %s", address_of(conn)->name, why);
    if (conn->step == CONN_CLOSING) {
        end(conn);
        return;
    }
    log_down(conn, address_of(conn)->name, code, why);
    bool steady = conn->step == CONN_UP && loop_now(conn->options.loop) - conn->up_since > STEADY_MS;
    bool was_up = conn->step == CONN_UP;
    drop(conn);
    code = verdict(conn, code);
    double wait = steady ? 0 : backoff_ms(++conn->attempt, conn->options.address_count, code);
    if (steady)
        conn->attempt = 0;
    conn->address = was_up ? 0 : (conn->address + 1) % conn->options.address_count;
    conn->step = CONN_WAITING;
    set_timer(conn, wait);
    conn->events.down(conn->self, code, text);
}

/* ---- login ---- */

static amqp_table_entry_t entry_text(const char *key, const char *text)
{
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(text)}};
}

static amqp_table_entry_t entry_true(const char *key)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}};
}

/* Without blocked and cancel_notify the broker says nothing of alarms or deleted queues, and without the last
 * a wrong password is a closed socket. */
static void send_start_ok(struct amqp_conn *conn)
{
    amqp_table_entry_t abilities[] = {entry_true("connection.blocked"), entry_true("consumer_cancel_notify"),
                                      entry_true("basic.nack"), entry_true("publisher_confirms"),
                                      entry_true("authentication_failure_close")};
    amqp_table_entry_t entries[] = {
        entry_text("product", "umbel"), entry_text("version", UMBEL_VERSION), entry_text("platform", "C"),
        entry_text("connection_name", conn->options.name),
        (amqp_table_entry_t){.key = amqp_cstring_bytes("capabilities"),
                             .value = {.kind = AMQP_FIELD_KIND_TABLE,
                                       .value.table = {.num_entries = sizeof abilities / sizeof *abilities,
                                                       .entries = abilities}}}};
    const struct amqp_address *address = address_of(conn);
    char response[2100] = {0};
    size_t user = address->user.size, password = address->password.size;
    memcpy(response + 1, address->user.data, user);
    if (password)
        memcpy(response + user + 2, address->password.data, password);
    amqp_connection_start_ok_t method = {
        .client_properties = {.num_entries = sizeof entries / sizeof *entries, .entries = entries},
        .mechanism = amqp_cstring_bytes("PLAIN"),
        .response = {.len = user + password + 2, .bytes = response},
        .locale = amqp_cstring_bytes("en_US")};
    amqp_conn_send(conn, 0, AMQP_CONNECTION_START_OK_METHOD, &method);
}

/* The words of a list separated by blanks. */
static bool has_word(amqp_bytes_t list, const char *word)
{
    const char *text = list.bytes;
    size_t size = strlen(word);
    for (size_t at = 0; at + size <= list.len; at++) {
        bool begins = at == 0 || text[at - 1] == ' ';
        bool ends = at + size == list.len || text[at + size] == ' ';
        if (begins && ends && memcmp(text + at, word, size) == 0)
            return true;
    }
    return false;
}

static void on_start(struct amqp_conn *conn, const amqp_connection_start_t *start)
{
    if (!has_word(start->mechanisms, "PLAIN")) {
        amqp_conn_break(conn, UMBEL_AUTH, "the server does not offer login by name and password (PLAIN)");
        return;
    }
    conn->step = CONN_TUNING;
    send_start_ok(conn);
}

static uint16_t beat_seconds(const struct amqp_conn *conn, uint16_t theirs)
{
    double ours = address_of(conn)->heartbeat > 0 ? address_of(conn)->heartbeat : conn->options.heartbeat;
    uint16_t seconds = ours < 1 ? 1 : ours > 3600 ? 3600 : (uint16_t)ours;
    return theirs && theirs < seconds ? theirs : seconds;
}

static void on_tune(struct amqp_conn *conn, const amqp_connection_tune_t *tune)
{
    conn->channel_max = tune->channel_max && tune->channel_max < 2047 ? tune->channel_max : 2047;
    conn->frame_max =
        tune->frame_max && tune->frame_max < AMQP_CODEC_FRAME_MAX ? tune->frame_max : AMQP_CODEC_FRAME_MAX;
    if (conn->frame_max < AMQP_FRAME_MIN_SIZE) {
        amqp_conn_break(conn, UMBEL_PROTOCOL, "the server wants frames smaller than AMQP allows");
        return;
    }
    uint16_t seconds = beat_seconds(conn, tune->heartbeat);
    conn->beat_ms = seconds * 1000u;
    amqp_connection_tune_ok_t ok = {
        .channel_max = conn->channel_max, .frame_max = conn->frame_max, .heartbeat = seconds};
    umbel_str vhost = address_of(conn)->vhost;
    amqp_connection_open_t open = {.virtual_host = {.len = vhost.size, .bytes = (void *)vhost.data}};
    conn->step = CONN_OPENING;
    amqp_conn_send(conn, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &ok);
    amqp_conn_send(conn, 0, AMQP_CONNECTION_OPEN_METHOD, &open);
}

static void on_open_ok(struct amqp_conn *conn)
{
    conn->step = CONN_UP;
    conn->told = UMBEL_OK;
    conn->up_since = conn->quiet_since = loop_now(conn->options.loop);
    set_timer(conn, (double)conn->beat_ms / 2);
    log_line(conn->options.log, UMBEL_INFO, "amqp", "connected to RabbitMQ at %s as %s",
             address_of(conn)->name, conn->options.name);
    if (conn->paused)
        stream_pause(conn->stream, true);
    conn->events.up(conn->self);
}

/* ---- methods of channel 0 ---- */

static void explain_refusal(const struct amqp_conn *conn, char *text, size_t size, const char *why)
{
    const struct amqp_address *address = address_of(conn);
    if (conn->step == CONN_TUNING)
        snprintf(text, size,
                 "user '%s' is refused; check the name and password in the URL (guest may log in from the "
                 "broker's own machine only)",
                 address->user.data);
    else
        snprintf(text, size, "virtual host '%s' cannot be opened by user '%s': %s", address->vhost.data,
                 address->user.data, why);
}

static void on_close(struct amqp_conn *conn, const amqp_connection_close_t *close)
{
    char why[256], text[384];
    snprintf(why, sizeof why, "%.*s", (int)close->reply_text.len, (const char *)close->reply_text.bytes);
    amqp_connection_close_ok_t ok = {0};
    amqp_conn_send(conn, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
    stream_flush(conn->stream);
    bool login = conn->step == CONN_TUNING || conn->step == CONN_OPENING;
    bool refused =
        login && (close->reply_code == AMQP_ACCESS_REFUSED || close->reply_code == AMQP_NOT_ALLOWED);
    if (refused)
        explain_refusal(conn, text, sizeof text, why);
    amqp_conn_break(conn, refused ? UMBEL_AUTH : UMBEL_BROKER_AWAY, refused ? text : why);
}

static void on_blocked(struct amqp_conn *conn, bool blocked, const amqp_connection_blocked_t *method)
{
    char why[256] = "";
    if (blocked)
        snprintf(why, sizeof why, "%.*s", (int)method->reason.len, (const char *)method->reason.bytes);
    conn->blocked = blocked;
    conn->events.blocked(conn->self, blocked, why);
}

static void on_method(struct amqp_conn *conn, amqp_method_number_t id, const void *method)
{
    enum amqp_conn_step step = conn->step;
    if (id == AMQP_CONNECTION_START_METHOD && step == CONN_STARTING)
        on_start(conn, method);
    else if (id == AMQP_CONNECTION_TUNE_METHOD && step == CONN_TUNING)
        on_tune(conn, method);
    else if (id == AMQP_CONNECTION_OPEN_OK_METHOD && step == CONN_OPENING)
        on_open_ok(conn);
    else if (id == AMQP_CONNECTION_CLOSE_METHOD)
        on_close(conn, method);
    else if (id == AMQP_CONNECTION_CLOSE_OK_METHOD && step == CONN_CLOSING)
        end(conn);
    else if (id == AMQP_CONNECTION_BLOCKED_METHOD && step == CONN_UP)
        on_blocked(conn, true, method);
    else if (id == AMQP_CONNECTION_UNBLOCKED_METHOD && step == CONN_UP)
        on_blocked(conn, false, NULL);
    else if (step != CONN_CLOSING)
        amqp_conn_break(conn, UMBEL_PROTOCOL, "the server sent a method that does not belong here");
}

/* ---- bytes ---- */

static void take_method(struct amqp_conn *conn, const struct amqp_piece *piece)
{
    amqp_method_number_t id;
    void *method;
    uint32_t life = conn->life;
    if (piece->type != AMQP_FRAME_METHOD || amqp_codec_method(&conn->pool, piece, &id, &method) != UMBEL_OK)
        amqp_conn_break(conn, UMBEL_PROTOCOL, "the server sent a frame that makes no sense");
    else
        on_method(conn, id, method);
    if (conn->life == life)
        recycle_amqp_pool(&conn->pool);
}

static size_t take(struct amqp_conn *conn, const struct amqp_piece *piece, const uint8_t *data, size_t size)
{
    if (piece->type == AMQP_FRAME_HEARTBEAT)
        return piece->whole;
    if (piece->channel == 0) {
        take_method(conn, piece);
        return piece->whole;
    }
    if (conn->step == CONN_CLOSING)
        return piece->whole; /* of the past: nobody is interested any more */
    if (conn->step == CONN_UP)
        return amqp_chan_take(conn, piece, data, size);
    amqp_conn_break(conn, UMBEL_PROTOCOL, "the server used a channel before the login ended");
    return 0;
}

static size_t on_data(void *self, const uint8_t *data, size_t size)
{
    struct amqp_conn *conn = self;
    uint32_t life = conn->life;
    size_t used = 0;
    while (!(conn->paused && conn->step == CONN_UP)) {
        struct amqp_piece piece;
        enum amqp_piece_found found = amqp_codec_frame(data + used, size - used, conn->frame_max, &piece);
        if (found == AMQP_PIECE_BAD) {
            amqp_conn_break(conn, UMBEL_PROTOCOL,
                            "the peer does not speak AMQP 0-9-1, or its frames are broken");
            return used;
        }
        size_t taken = found == AMQP_PIECE_GOOD ? take(conn, &piece, data + used, size - used) : 0;
        if (conn->life != life)
            return used;
        if (taken == 0)
            break;
        used += taken;
    }
    return used;
}

static void on_up(void *self)
{
    struct amqp_conn *conn = self;
    static const uint8_t hello[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
    conn->step = CONN_STARTING;
    conn->frame_max = AMQP_CODEC_FRAME_MAX;
    stream_write(conn->stream, hello, sizeof hello);
    set_timer(conn, conn->options.connect_timeout * 1000);
}

static void on_down(void *self, int code, const char *why)
{
    struct amqp_conn *conn = self;
    amqp_conn_break(conn, code == UMBEL_TLS ? UMBEL_TLS : UMBEL_BROKER_AWAY, why);
}

static void on_drained(void *self)
{
    struct amqp_conn *conn = self;
    if (conn->step == CONN_UP)
        conn->events.drained(conn->self);
}

/* ---- time ---- */

static void beat(struct amqp_conn *conn)
{
    uint64_t now = loop_now(conn->options.loop), heard = stream_last_read(conn->stream);
    if (heard < conn->quiet_since)
        heard = conn->quiet_since;
    if (!conn->paused && now - heard > 2 * conn->beat_ms) {
        amqp_conn_break(conn, UMBEL_BROKER_AWAY, "nothing was heard for two heartbeats");
        return;
    }
    if (stream_pending(conn->stream) == 0) {
        amqp_codec_put_heartbeat(amqp_conn_output(conn));
        amqp_conn_wrote(conn);
    }
    set_timer(conn, (double)conn->beat_ms / 2);
}

static void on_timer(uv_timer_t *timer)
{
    struct amqp_conn *conn = timer->data;
    if (conn->step == CONN_WAITING)
        try_address(conn);
    else if (conn->step == CONN_UP)
        beat(conn);
    else if (conn->step == CONN_CLOSING)
        end(conn);
    else
        amqp_conn_break(conn, UMBEL_BROKER_AWAY, "the server accepted but did not finish the login in time");
}

/* ---- the object ---- */

int amqp_conn_init(struct amqp_conn *conn, const struct amqp_conn_options *options,
                   const struct amqp_conn_events *events, void *self)
{
    static const struct stream_events bytes = {on_up, on_data, on_down, on_drained};
    *conn = (struct amqp_conn){.options = *options, .events = *events, .self = self};
    conn->stream = stream_new(options->loop, &bytes, conn);
    if (!conn->stream)
        return UMBEL_NO_MEMORY;
    uv_timer_init(&options->loop->uv, &conn->timer);
    conn->timer.data = conn;
    init_amqp_pool(&conn->pool, 4096);
    arena_init(&conn->arena, (size_t)16 << 20);
    return UMBEL_OK;
}

void amqp_conn_start(struct amqp_conn *conn)
{
    conn->step = CONN_WAITING;
    set_timer(conn, 0);
}

void amqp_conn_close(struct amqp_conn *conn, double grace)
{
    if (conn->step != CONN_UP) {
        end(conn);
        return;
    }
    amqp_connection_close_t method = {.reply_code = AMQP_REPLY_SUCCESS,
                                      .reply_text = amqp_cstring_bytes("goodbye")};
    amqp_conn_send(conn, 0, AMQP_CONNECTION_CLOSE_METHOD, &method);
    conn->step = CONN_CLOSING;
    amqp_conn_pause(conn, false);
    stream_flush(conn->stream);
    set_timer(conn, grace * 1000);
}

static void timer_closed(uv_handle_t *handle)
{
    struct amqp_conn *conn = handle->data;
    amqp_chan_fini_all(conn);
    empty_amqp_pool(&conn->pool);
    arena_fini(&conn->arena);
    conn->gone(conn->self);
}

void amqp_conn_fini(struct amqp_conn *conn, void (*gone)(void *self))
{
    drop(conn);
    stream_free(conn->stream);
    conn->gone = gone;
    uv_close((uv_handle_t *)&conn->timer, timer_closed);
}

void amqp_conn_send(struct amqp_conn *conn, uint16_t channel, amqp_method_number_t id, void *method)
{
    amqp_codec_put_method(amqp_conn_output(conn), channel, id, method);
    amqp_conn_wrote(conn);
}

void amqp_conn_pause(struct amqp_conn *conn, bool paused)
{
    if (conn->paused == paused)
        return;
    conn->paused = paused;
    conn->quiet_since = loop_now(conn->options.loop);
    if (conn->step == CONN_UP || conn->step == CONN_CLOSING)
        stream_pause(conn->stream, paused);
}
