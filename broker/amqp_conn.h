/* amqp_conn.h: one AMQP connection that comes back by itself, and the channels on it.
 *
 * A channel (struct amqp_chan) belongs to whoever embeds it: publisher, consumer, errands. It is opened when
 * the connection is up and is gone when the connection is lost; its owner hears of that from the connection's
 * owner. */
#ifndef BROKER_AMQP_CONN_H
#define BROKER_AMQP_CONN_H

#include "broker/amqp_address.h"
#include "broker/amqp_codec.h"
#include "common/log.h"
#include "common/loop.h"

struct amqp_conn;
struct amqp_content;

enum amqp_conn_step {
    CONN_IDLE,
    CONN_WAITING,
    CONN_CONNECTING,
    CONN_STARTING,
    CONN_TUNING,
    CONN_OPENING,
    CONN_UP,
    CONN_CLOSING
};

struct amqp_conn_events {
    void (*up)(void *self);
    /* An attempt failed or the connection was lost; the next attempt is under way. `code` UMBEL_AUTH,
     * UMBEL_TLS: it will not help. All channels are gone. */
    void (*down)(void *self, int code, const char *why);
    void (*blocked)(void *self, bool blocked, const char *why);
    void (*drained)(void *self);
    void (*ended)(void *self); /* after amqp_conn_close */
};

struct amqp_conn_options {
    struct loop *loop;
    const struct log *log;
    const struct amqp_address *addresses; /* not copied */
    size_t address_count;
    double connect_timeout, heartbeat;
    const char *name; /* not copied; shown by the broker */
};

struct amqp_slot; /* a channel number in use */

struct amqp_conn {
    struct amqp_conn_options options;
    struct amqp_conn_events events;
    void *self;
    enum amqp_conn_step step;
    uint32_t life;     /* changes whenever the connection begins or ends */
    uint32_t attempt;  /* failures in a row */
    uint32_t refusals; /* of these, those at the end that were no outage */
    size_t address;    /* the one in use */
    struct stream *stream;
    uv_timer_t timer;   /* the next attempt, the end of a handshake, or the next heartbeat */
    amqp_pool_t pool;   /* of one decoded method */
    struct arena arena; /* of one content's headers */
    void (*gone)(void *self);
    uint64_t up_since;
    uint32_t frame_max;
    uint16_t channel_max;
    uint64_t beat_ms;     /* the heartbeat agreed; 0 = none */
    uint64_t quiet_since; /* no silence of the peer counts before this */
    bool blocked, paused;
    int told; /* the trouble that was logged as news last: its code; UMBEL_OK = none since it was up */
    struct amqp_slot *slots;
    size_t slot_count;
};

/* UMBEL_OK or UMBEL_NO_MEMORY. */
int amqp_conn_init(struct amqp_conn *conn, const struct amqp_conn_options *options,
                   const struct amqp_conn_events *events, void *self);
void amqp_conn_start(struct amqp_conn *conn);
/* Says goodbye, waits for the answer at most `grace` seconds, then calls `ended` (perhaps from inside, when
 * there is nothing to wait for). */
void amqp_conn_close(struct amqp_conn *conn, double grace);
/* Frees everything at the end of the turn and then calls `gone`; the memory must live until then. What
 * callbacks up the stack borrowed stays good for them. */
void amqp_conn_fini(struct amqp_conn *conn, void (*gone)(void *self));
static inline bool amqp_conn_is_up(const struct amqp_conn *conn)
{
    return conn->step == CONN_UP;
}
/* Frames are appended here, then amqp_conn_wrote. */
static inline struct buffer *amqp_conn_output(struct amqp_conn *conn)
{
    return stream_output(conn->stream);
}
static inline void amqp_conn_wrote(struct amqp_conn *conn)
{
    stream_wrote(conn->stream);
}
void amqp_conn_send(struct amqp_conn *conn, uint16_t channel, amqp_method_number_t id, void *method);
void amqp_conn_pause(struct amqp_conn *conn, bool paused);
/* Ends the connection as broken; `down` is called, then it is tried again. Only from the loop's callbacks. */
void amqp_conn_break(struct amqp_conn *conn, int code, const char *why);

/* ---- channels ---- */

struct amqp_content {
    bool returned;       /* else delivered */
    uint64_t tag;        /* of a delivery */
    struct message *msg; /* with exchange, routing_key, redelivered */
    const char *garbled; /* why the headers make no sense, or NULL */
};

struct amqp_chan_events {
    void (*method)(void *self, amqp_method_number_t id, const void *method);
    void (*content)(void *self, const struct amqp_content *content);
    /* The server closed it, or refused to open it; it may be opened again. */
    void (*closed)(void *self, int reply_code, const char *why);
};

struct amqp_chan {
    struct amqp_conn *conn;
    const struct amqp_chan_events *events;
    void *self;
    uint16_t number; /* 0: not open */
};

/* Sends channel.open and answers at once; frames may follow without waiting. False when there is no number
 * left. */
bool amqp_chan_open(struct amqp_chan *chan, struct amqp_conn *conn, const struct amqp_chan_events *events,
                    void *self);
/* Closes; nothing more is heard of it. */
void amqp_chan_close(struct amqp_chan *chan);
static inline void amqp_chan_send(struct amqp_chan *chan, amqp_method_number_t id, void *method)
{
    amqp_conn_send(chan->conn, chan->number, id, method);
}
/* UMBEL code for the reply code of a channel or connection error. */
int amqp_chan_code(int reply_code);

/* ---- inside: amqp_conn.c and amqp_chan.c ---- */

/* Bytes used of the frame at `data` and those behind it, 0 = more are needed. May end anything. */
size_t amqp_chan_take(struct amqp_conn *conn, const struct amqp_piece *piece, const uint8_t *data,
                      size_t size);
/* The connection is gone. */
void amqp_chan_forget_all(struct amqp_conn *conn);
void amqp_chan_fini_all(struct amqp_conn *conn);

#endif
