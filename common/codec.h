/* codec.h: values to bytes and back, in the two serializers Celery programs use.
 *
 * Decoders treat their input as hostile: they check depth (UMBEL_DEPTH_MAX below the top, one more for the
 * envelope), counts and lengths before anything is allocated, and put everything into one arena. Decoded
 * strings are copied, so the input may go. Encoders append to a buffer. */
#ifndef COMMON_CODEC_H
#define COMMON_CODEC_H

#include <umbel/generic.h>
#include "common/value.h"

enum codec { CODEC_JSON, CODEC_MSGPACK };

#define CODEC_DEPTH_MAX 32

struct codec_row {
    const char *name;             /* "json" */
    const char *content_type;     /* "application/json" */
    const char *content_encoding; /* "binary"; NULL: "utf-8", which readers take where nothing is said */
    /* UMBEL_OK, UMBEL_BAD_MESSAGE, UMBEL_TOO_DEEP, UMBEL_TOO_LARGE (arena limit), UMBEL_NO_MEMORY. `why` (may
     * be NULL) gets a static or arena text that says what and where. */
    int (*decode)(struct arena *arena, umbel_str input, umbel_value **out, const char **why);
    /* UMBEL_OK, UMBEL_TOO_DEEP, UMBEL_BAD_VALUE (text that is not UTF-8), UMBEL_NO_MEMORY (buffer failed). */
    int (*encode)(struct buffer *out, const umbel_value *value);
    /* Pieces for writing a structure without building it first. */
    void (*null)(struct buffer *out);
    void (*boolean)(struct buffer *out, bool value);
    void (*integer)(struct buffer *out, int64_t value);
    void (*real)(struct buffer *out, double value);
    int (*text)(struct buffer *out, umbel_str text);
    void (*bytes)(struct buffer *out, umbel_str bytes);
};

/* The row of a codec; never NULL. */
const struct codec_row *codec_row(enum codec codec);
/* By content type ("application/json") or by name ("json"); NULL when it is neither of ours. */
const struct codec_row *codec_by_content_type(umbel_str content_type);
const struct codec_row *codec_by_name(umbel_str name);
enum codec codec_of(const struct codec_row *row);
/* JSON or msgpack, told by the first byte of a stored result map. */
enum codec codec_sniff(umbel_str stored);

/* List and map headers: JSON writes brackets and commas, msgpack a count. Every element is announced by
 * codec_next. codec_open_list(c, out, 2); codec_next(c, out, 0); ...; codec_next(c, out, 1); ...;
 * codec_close_list(c, out);   */
void codec_open_list(enum codec codec, struct buffer *out, uint32_t count);
void codec_close_list(enum codec codec, struct buffer *out);
void codec_open_map(enum codec codec, struct buffer *out, uint32_t count);
void codec_close_map(enum codec codec, struct buffer *out);
void codec_next(enum codec codec, struct buffer *out, uint32_t index); /* before an element */
void codec_key(enum codec codec, struct buffer *out, uint32_t index,
               umbel_str key); /* before a map's value */
void codec_give(enum codec codec, struct buffer *out, const umbel_give *give, int *code);

/* The task body [args, kwargs, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]. */
int codec_write_body(enum codec codec, struct buffer *out, umbel_arguments arguments);
/* Its third part alone. */
void codec_write_embed(enum codec codec, struct buffer *out);
/* Positional arguments alone: a list. UMBEL_BAD_ARGUMENT when one is named. */
int codec_write_list(enum codec codec, struct buffer *out, umbel_arguments arguments);

#endif
