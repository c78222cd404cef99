/* amqp_codec.h: AMQP 0-9-1 frames, methods and contents, to and from bytes. Pure: no socket, no state.
 *
 * librabbitmq translates methods (amqp_decode_method, amqp_encode_method); its connection object is not used
 * at all, so neither its blocking socket nor its frame queue is. Contents (properties, headers, bodies) and
 * acknowledgements, which are every message's cost, are ours: they are read without copying, and nesting is
 * limited, which librabbitmq 0.11 does not do. Input is hostile. */
#ifndef BROKER_AMQP_CODEC_H
#define BROKER_AMQP_CODEC_H

#include <amqp.h>
#include <amqp_framing.h>
#include "common/buffer.h"
#include "common/message.h"

#define AMQP_CODEC_FRAME_MAX 131072u /* what we ask for, and the most we take */
#define AMQP_CODEC_OVERHEAD 8u       /* of a frame: seven bytes before its payload, one behind */
#define AMQP_CODEC_DEPTH 32          /* of header tables */
#define AMQP_CODEC_BODY_MAX ((uint64_t)128 << 20)

/* ---- in ---- */

struct amqp_piece { /* one whole frame; the payload is borrowed */
    uint8_t type;
    uint16_t channel;
    const uint8_t *payload;
    size_t size;  /* of the payload */
    size_t whole; /* with what is around it */
};

enum amqp_piece_found { AMQP_PIECE_BAD = -1, AMQP_PIECE_MORE, AMQP_PIECE_GOOD };

/* Finds the frame that `data` begins with. MORE: it is not complete yet. BAD: no AMQP, or larger than
 * allowed. */
enum amqp_piece_found amqp_codec_frame(const uint8_t *data, size_t size, size_t frame_max,
                                       struct amqp_piece *piece);
/* Decodes a method that a server may send us; strings are borrowed from the frame, the rest lives in the
 * pool. UMBEL_OK or UMBEL_PROTOCOL (also for methods that only clients send). */
int amqp_codec_method(amqp_pool_t *pool, const struct amqp_piece *piece, amqp_method_number_t *id,
                      void **decoded);

struct amqp_codec_header { /* a content header frame */
    uint64_t body_size;
    const uint8_t *properties; /* flags and values, not looked at yet */
    size_t size;
};

/* UMBEL_OK or UMBEL_PROTOCOL. */
int amqp_codec_header(const struct amqp_piece *piece, struct amqp_codec_header *header);
/* Reads properties and headers into an initialised message, borrowed from the bytes; nested values go into
 * the arena. UMBEL_OK; UMBEL_BAD_MESSAGE with `why` when a part makes no sense: what could be read is in
 * `msg` even so. */
int amqp_codec_properties(struct arena *arena, const struct amqp_codec_header *header, struct message *msg,
                          const char **why);

/* ---- out ---- */

/* Appends a method frame. A method that does not fit (a name too long, a table too large) makes the buffer
 * fail. */
void amqp_codec_put_method(struct buffer *out, uint16_t channel, amqp_method_number_t id, void *method);
void amqp_codec_put_heartbeat(struct buffer *out);
void amqp_codec_put_ack(struct buffer *out, uint16_t channel, uint64_t tag, bool multiple);
void amqp_codec_put_requeue(struct buffer *out, uint16_t channel, uint64_t tag);

struct amqp_codec_target {
    uint16_t channel;
    uint32_t frame_max;
    umbel_str exchange, key;
    bool mandatory;
};

/* Appends a whole publish: method, header and body frames. UMBEL_OK; UMBEL_TOO_LARGE (a name over 255 bytes,
 * headers over one frame, a body over the limit), UMBEL_BAD_VALUE (a header that has no form on the wire):
 * nothing is appended then. UMBEL_NO_MEMORY: the buffer has failed. */
int amqp_codec_put_message(struct buffer *out, const struct amqp_codec_target *target,
                           const struct message *msg);

#endif
