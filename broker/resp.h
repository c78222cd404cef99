/* resp.h: Redis' protocol (RESP2): requests written straight into a buffer, replies read by hiredis' parser.
 *
 * Requests cost no allocation: a bulk string is its length, its bytes and two line ends. Replies are built in
 * an arena that is reset before each one, so a steady state does not call malloc either. A server is not
 * trusted: arrays longer or deeper, and replies larger than any that our commands can cause, end the reading
 * with an error. */
#ifndef BROKER_RESP_H
#define BROKER_RESP_H

#include "common/arena.h"
#include "common/buffer.h"

struct redisReader;

#define RESP_ITEMS_MAX 65536 /* elements of one array */
#define RESP_DEPTH_MAX 4     /* arrays in arrays */

enum resp_kind { RESP_NIL, RESP_STATUS, RESP_ERROR, RESP_INTEGER, RESP_STRING, RESP_ARRAY };

struct resp_reply {
    enum resp_kind kind;
    uint32_t count;           /* of items */
    int64_t integer;          /* RESP_INTEGER */
    umbel_str text;           /* RESP_STATUS, RESP_ERROR, RESP_STRING; NUL-terminated past its size, but
                                 not in a published message */
    struct resp_reply *items; /* RESP_ARRAY */
};

/* A request is resp_array with the number of its words, then that many words. */
void resp_array(struct buffer *out, size_t count);
void resp_word(struct buffer *out, umbel_str word);
/* One word out of two pieces, such as a prefix and an id. */
void resp_pair(struct buffer *out, umbel_str head, umbel_str tail);
void resp_number(struct buffer *out, int64_t number);
/* A whole request of literal words: resp_words(out, "SCRIPT", "LOAD", text, NULL). */
void resp_words(struct buffer *out, ...) __attribute__((sentinel));

struct resp_reader {
    struct redisReader *parser;
    struct arena arena;
    size_t max; /* bytes of one reply */
};

/* One complete reply, borrowed until the call returns. false: the reading stops here and its bytes are
 * forgotten. */
typedef bool resp_take(void *self, const struct resp_reply *reply);

/* Replies of more than `max` bytes are refused. UMBEL_OK or UMBEL_NO_MEMORY. */
int resp_reader_init(struct resp_reader *reader, size_t max);
void resp_reader_fini(struct resp_reader *reader);
/* Forgets half a reply: a new connection begins. UMBEL_OK or UMBEL_NO_MEMORY. */
int resp_reader_reset(struct resp_reader *reader);
/* Takes all the bytes and calls `take` for each reply they complete. UMBEL_OK, or UMBEL_PROTOCOL with `why`
 * (static or the reader's); after that only reset and fini are allowed. */
int resp_reader_feed(struct resp_reader *reader, const uint8_t *data, size_t size, resp_take *take,
                     void *self, const char **why);

/* Is it an error reply whose first word is `code`, such as "NOSCRIPT"? */
bool resp_is_error(const struct resp_reply *reply, const char *code);

#endif
