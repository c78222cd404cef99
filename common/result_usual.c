/* result_usual.c: see result_usual.h. Both directions go by the same words, which are Celery's (json.dumps of
 * celery.backends.base, 5.2.6). */
#include "common/result_usual.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/json_word.h"
#include "common/str.h"
#include "common/uuid.h"

#define BEFORE_VALUE "{\"status\": \"SUCCESS\", \"result\": "
#define BEFORE_DATE ", \"traceback\": null, \"children\": [], \"date_done\": \""
#define BEFORE_ID "\", \"task_id\": \""
#define AFTER_ID "\"}"

enum { ID = UUID_SIZE - 1, DATE = sizeof "2026-11-21T21:27:14.000000" - 1 };
enum { FIXED = sizeof BEFORE_VALUE BEFORE_DATE BEFORE_ID AFTER_ID - 1 + DATE + ID };

/* Does it stand in JSON as it is? At least eight bytes long; the last are looked at twice. */
static bool is_plain(umbel_str text)
{
    uint64_t alarms = json_word_escaped(json_word(text.data + text.size - JSON_WORD));
    for (size_t at = 0; at + JSON_WORD < text.size; at += JSON_WORD)
        alarms |= json_word_escaped(json_word(text.data + at));
    return !alarms;
}

/* ---- writing ---- */

static bool is_usual(enum codec codec, const struct result_parts *parts)
{
    return codec == CODEC_JSON && parts->state == RESULT_SUCCESS && parts->id.size == ID &&
           parts->done_at > 0 && !parts->traceback.size && !parts->group.size && !parts->parent_id.size &&
           !parts->run.size && is_plain(parts->id);
}

static char *put(char *to, const char *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}

#define PUT(to, words) put(to, words, sizeof(words) - 1)

bool result_usual_write(enum codec codec, struct buffer *out, const struct result_parts *parts)
{
    char date[CLOCK_ISO_SIZE];
    umbel_str value = parts->value.size ? parts->value : STR("null");
    if (!is_usual(codec, parts) || clock_iso(date, parts->done_at, false) != DATE)
        return false;
    char *to = value.size < SIZE_MAX - FIXED ? (char *)buffer_room(out, value.size + FIXED) : NULL;
    if (!to)
        return true; /* the buffer remembers */
    to = PUT(to, BEFORE_VALUE);
    to = put(to, value.data, value.size);
    to = PUT(to, BEFORE_DATE);
    to = put(to, date, DATE);
    to = PUT(to, BEFORE_ID);
    to = put(to, parts->id.data, ID);
    PUT(to, AFTER_ID);
    buffer_grew(out, value.size + FIXED);
    return true;
}

/* ---- reading ---- */

static umbel_str take_last(umbel_str *rest, size_t size)
{
    rest->size -= size;
    return (umbel_str){rest->data + rest->size, size};
}

static bool ends(umbel_str *rest, umbel_str words)
{
    return str_equal(take_last(rest, words.size), words);
}

bool result_usual_read(umbel_str stored, umbel_str *value, umbel_str *id)
{
    umbel_str rest = stored, date;
    if (stored.size <= FIXED || !ends(&rest, STR(AFTER_ID)))
        return false;
    *id = take_last(&rest, ID);
    if (!ends(&rest, STR(BEFORE_ID)))
        return false;
    date = take_last(&rest, DATE);
    if (!ends(&rest, STR(BEFORE_DATE)) || !str_starts(rest, STR(BEFORE_VALUE)) || !is_plain(*id) ||
        !is_plain(date))
        return false;
    *value = (umbel_str){rest.data + sizeof BEFORE_VALUE - 1, rest.size - (sizeof BEFORE_VALUE - 1)};
    umbel_str stepped = json_skip(*value);
    return stepped.data == value->data && stepped.size == value->size;
}
