/* map.c: one call per element, results read one after the other.
 *
 * A mapping holds a window: calls that were submitted and whose results were not read. Reading makes room in
 * it, and room is filled from the source: so a source without end needs bounded memory. Messages are entries:
 * one call, or several in a chunk. In order the oldest entry is waited for, without order whichever is done
 * (a waiter that gathers). Everything happens on the thread that reads. */
#include <umbel/executor.h>

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "client/client.h"
#include "client/future.h"
#include "client/waiter.h"
#include "common/clock.h"
#include "common/str.h"
#include "common/value.h"

enum { AHEAD_DEFAULT = 1000, CALLS_MAX = 1 << 20 };

/* One message. */
struct entry {
    struct entry *next;
    struct waiter_node node;
    umbel_future *future;
    size_t first; /* index of its first call */
    size_t count; /* calls in it */
    bool chunk;   /* its result is a list */
};

/* Where arguments come from: a generator, or a list of which `at` is the next element. */
struct source {
    bool (*next)(void *arg, umbel_value *arguments);
    void *arg;
    umbel_value *list; /* ours: a copy */
    size_t at;
    bool spread; /* each element is a list of arguments */
    bool over;
};

struct umbel_mapping {
    umbel_client *client; /* counted */
    char *task;
    umbel_map_options options;
    umbel_submit_options submit;
    struct source source;
    umbel_chunk *chunk; /* NULL: one call per message */
    struct waiter waiter;
    struct entry *first, **last; /* unread, in order; the one that is being read is `reading` */
    struct entry *reading;
    size_t read;      /* calls of it that were read */
    size_t submitted; /* calls */
    size_t window;    /* calls submitted and not read */
    size_t index;     /* of the call read last */
    double deadline;
    int failed; /* of filling: the source's, told once everything before it was read */
    char why[OUTBOX_WHY];
};

/* ---- the source ---- */

static int take_element(struct source *source, umbel_value *arguments)
{
    const umbel_value *element = umbel_value_at(source->list, source->at++);
    if (!source->spread)
        return umbel_add_value(arguments, NULL, element);
    if (umbel_value_kind(element) != UMBEL_LIST)
        return UMBEL_BAD_TYPE;
    for (size_t i = 0; i < umbel_value_count(element); i++) {
        int code = umbel_add_value(arguments, NULL, umbel_value_at(element, i));
        if (code != UMBEL_OK)
            return code;
    }
    return UMBEL_OK;
}

/* The next call's arguments, into a list. UMBEL_EXHAUSTED: there is none. */
static int next_arguments(struct source *source, umbel_value *arguments)
{
    if (source->next)
        return source->next(source->arg, arguments) ? UMBEL_OK : UMBEL_EXHAUSTED;
    if (source->at >= umbel_value_count(source->list))
        return UMBEL_EXHAUSTED;
    return take_element(source, arguments);
}

/* ---- submitting ---- */

static int append(umbel_mapping *mapping, umbel_future *future, size_t count, bool chunk)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (!future || !entry) {
        umbel_future_free(future);
        free(entry);
        return UMBEL_NO_MEMORY;
    }
    *entry = (struct entry){.future = future, .first = mapping->submitted, .count = count, .chunk = chunk};
    mapping->submitted += count;
    mapping->window += count;
    *mapping->last = entry;
    mapping->last = &entry->next;
    if (mapping->options.unordered)
        waiter_gather_add(&mapping->waiter, &entry->node, future);
    return UMBEL_OK;
}

static int send_chunk(umbel_mapping *mapping)
{
    size_t count = umbel_chunk_count(mapping->chunk);
    return count ? append(mapping, umbel_submit_chunk_with(mapping->chunk, &mapping->submit), count, true)
                 : UMBEL_OK;
}

static umbel_future *submit_one(umbel_mapping *mapping, umbel_arguments arguments)
{
    if (mapping->options.function)
        return umbel_submit_call_with(mapping->client, mapping->options.function, arguments,
                                      &mapping->submit);
    return umbel_submit_with(mapping->client, mapping->task, arguments, &mapping->submit);
}

static int send_call(umbel_mapping *mapping, const umbel_value *list)
{
    size_t count = umbel_value_count(list);
    umbel_give *gives = calloc(count + 1, sizeof *gives);
    if (!gives)
        return UMBEL_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        gives[i] = umbel_give_value(umbel_value_at(list, i));
    umbel_arguments arguments = {gives, count};
    int code;
    if (mapping->chunk) {
        code = umbel_chunk_add(mapping->chunk, arguments);
        if (code == UMBEL_OK && umbel_chunk_count(mapping->chunk) >= mapping->options.chunk)
            code = send_chunk(mapping);
    } else {
        code = append(mapping, submit_one(mapping, arguments), 1, false);
    }
    free(gives);
    return code;
}

static int pull_one(umbel_mapping *mapping)
{
    umbel_value *list = umbel_list_new();
    int code = list ? next_arguments(&mapping->source, list) : UMBEL_NO_MEMORY;
    if (code == UMBEL_OK)
        code = send_call(mapping, list);
    umbel_value_free(list);
    return code;
}

static void end_source(umbel_mapping *mapping, int code)
{
    int sent = mapping->chunk ? send_chunk(mapping) : UMBEL_OK;
    mapping->source.over = true;
    mapping->failed = code == UMBEL_EXHAUSTED ? sent : code;
}

/* What hangs in a chunk that is not full counts too, else one that is larger than the window would never
 * leave. */
static void fill(umbel_mapping *mapping)
{
    while (!mapping->source.over &&
           mapping->window + (mapping->chunk ? umbel_chunk_count(mapping->chunk) : 0) <
               mapping->options.ahead) {
        int code = pull_one(mapping);
        if (code != UMBEL_OK)
            end_source(mapping, code);
    }
}

/* ---- reading ---- */

static void free_entry(struct entry *entry)
{
    umbel_future_free(entry->future);
    free(entry);
}

static void unlink_entry(umbel_mapping *mapping, struct entry *entry)
{
    struct entry **at = &mapping->first;
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    if (!entry->next)
        mapping->last = at;
}

static double deadline_of(const umbel_mapping *mapping)
{
    return fmin(mapping->deadline, clock_mono() + client_timeout(mapping->client, -1));
}

static int await_any(umbel_mapping *mapping, struct entry **out)
{
    struct waiter_node *node;
    int code = waiter_gather_next(&mapping->waiter, mapping->client, deadline_of(mapping), &node);
    if (code == UMBEL_OK)
        *out = (struct entry *)((char *)node - offsetof(struct entry, node));
    return code;
}

static int await_first(umbel_mapping *mapping, struct entry **out)
{
    double seconds = fmax(0, deadline_of(mapping) - clock_mono());
    *out = mapping->first;
    int code = umbel_get_take((*out)->future, seconds, umbel_take_none(NULL));
    return umbel_done((*out)->future) ? UMBEL_OK : code;
}

/* The entry whose calls are read next, if there is one; else why none was done in time. */
static int turn_to_next(umbel_mapping *mapping)
{
    struct entry *entry = NULL;
    if (mapping->reading)
        free_entry(mapping->reading);
    mapping->reading = NULL;
    fill(mapping);
    if (!mapping->first)
        return UMBEL_OK;
    int code = mapping->options.unordered ? await_any(mapping, &entry) : await_first(mapping, &entry);
    if (code != UMBEL_OK)
        return code;
    unlink_entry(mapping, entry);
    mapping->reading = entry;
    mapping->read = 0;
    return UMBEL_OK;
}

static void say(umbel_mapping *mapping, const char *why)
{
    snprintf(mapping->why, sizeof mapping->why, "%s", why);
}

static int take_of_chunk(umbel_mapping *mapping, size_t at, umbel_take take)
{
    umbel_future *future = mapping->reading->future;
    int code = umbel_future_code(future);
    if (code != UMBEL_OK || take.kind == UMBEL_TAKE_NOTHING)
        return code;
    const umbel_value *list = umbel_result(future);
    return at < umbel_value_count(list) ? value_take(umbel_value_at(list, at), &take) : UMBEL_BAD_MESSAGE;
}

static int read_call(umbel_mapping *mapping, umbel_take take)
{
    const struct entry *entry = mapping->reading;
    size_t at = mapping->read++;
    mapping->window--;
    mapping->index = entry->first + at;
    int code = entry->chunk ? take_of_chunk(mapping, at, take) : umbel_get_take(entry->future, 0, take);
    if (code != UMBEL_OK) {
        const char *why = umbel_error(entry->future);
        say(mapping, *why ? why : umbel_strerror(code));
    }
    return code;
}

static const char *why_no_more(const umbel_mapping *mapping, int code)
{
    if (code == UMBEL_BAD_TYPE)
        return "umbel_starmap takes a list of lists: the arguments of each call";
    if (code == UMBEL_BAD_ARGUMENT)
        return mapping->source.spread ? "umbel_starmap takes a list: of the arguments of each call"
                                      : "umbel_map takes a list: of the one argument of each call";
    return umbel_strerror(code);
}

static int end_of_all(umbel_mapping *mapping)
{
    int code = mapping->failed;
    mapping->failed = UMBEL_OK;
    if (code == UMBEL_OK)
        return UMBEL_EXHAUSTED;
    say(mapping, why_no_more(mapping, code));
    return code;
}

int umbel_map_next_take(umbel_mapping *mapping, umbel_take take)
{
    if (!mapping)
        return UMBEL_NO_MEMORY;
    if (!fork_mark_is_ours(&mapping->client->mark))
        return UMBEL_FORKED;
    bool is_read = !mapping->reading || mapping->read == mapping->reading->count;
    int code = is_read ? turn_to_next(mapping) : UMBEL_OK;
    if (code != UMBEL_OK) {
        say(mapping,
            code == UMBEL_TIMEOUT ? "no further result came in the time allowed" : umbel_strerror(code));
        return code;
    }
    return mapping->reading ? read_call(mapping, take) : end_of_all(mapping);
}

size_t umbel_map_index(const umbel_mapping *mapping)
{
    return mapping ? mapping->index : 0;
}

const char *umbel_map_error(const umbel_mapping *mapping)
{
    return mapping ? mapping->why : umbel_strerror(UMBEL_NO_MEMORY);
}

/* ---- life ---- */

/* What was not read is cancelled, as far as it has not begun. An entry is freed when no other hangs any more:
 * those that are ready form a list, to which one that still hangs would be added. */
static void free_entries(umbel_mapping *mapping)
{
    for (struct entry *entry = mapping->first; entry; entry = entry->next) {
        if (mapping->options.unordered)
            waiter_gather_drop(&entry->node);
        future_take_back(entry->future);
    }
    while (mapping->first) {
        struct entry *entry = mapping->first;
        mapping->first = entry->next;
        free_entry(entry);
    }
}

/* In the child of a fork the futures' locks may be held by a thread that is not there: its copy is left
 * alone. */
void umbel_map_free(umbel_mapping *mapping)
{
    if (!mapping || !fork_mark_is_ours(&mapping->client->mark))
        return;
    if (mapping->reading)
        free_entry(mapping->reading);
    free_entries(mapping);
    waiter_gather_end(&mapping->waiter);
    umbel_chunk_free(mapping->chunk);
    umbel_value_free(mapping->source.list);
    free(mapping->task);
    client_unref(mapping->client);
    free(mapping);
}

static void take_options(umbel_mapping *mapping, const umbel_map_options *options)
{
    static const umbel_map_options none;
    options = options ? options : &none;
    mapping->options = *options;
    if (options->submit)
        mapping->submit = *options->submit;
    mapping->submit.id = NULL; /* each call has its own */
    if (mapping->options.chunk > CALLS_MAX)
        mapping->options.chunk = CALLS_MAX;
    if (mapping->options.ahead == 0)
        mapping->options.ahead = AHEAD_DEFAULT;
    if (mapping->options.ahead < mapping->options.chunk)
        mapping->options.ahead = mapping->options.chunk;
    mapping->deadline = options->timeout > 0 ? clock_mono() + options->timeout : INFINITY;
}

/* A function has no name that a chunk could carry. */
static bool begin(umbel_mapping *mapping, umbel_client *client, const char *task,
                  const umbel_map_options *options)
{
    client_ref(client);
    mapping->client = client;
    mapping->last = &mapping->first;
    waiter_gather(&mapping->waiter);
    take_options(mapping, options);
    mapping->task = strdup(task ? task : "");
    if (mapping->task && mapping->options.chunk > 1 && !mapping->options.function)
        mapping->chunk = umbel_chunk_new(client, task, mapping->submit.serializer);
    return mapping->task && (mapping->options.chunk <= 1 || mapping->options.function || mapping->chunk);
}

static umbel_mapping *map(umbel_client *client, const char *task, struct source source,
                          const umbel_map_options *options)
{
    umbel_mapping *mapping = client ? calloc(1, sizeof *mapping) : NULL;
    if (!mapping || (!source.next && !source.list)) {
        umbel_value_free(source.list);
        free(mapping);
        return NULL;
    }
    mapping->source = source;
    mapping->failed = source.over ? UMBEL_BAD_ARGUMENT : UMBEL_OK;
    if (!begin(mapping, client, task, options)) {
        umbel_map_free(mapping);
        return NULL;
    }
    if (fork_mark_is_ours(&client->mark))
        fill(mapping);
    return mapping;
}

static umbel_value *copy_of(const umbel_value *list)
{
    umbel_value *copy = umbel_list_new();
    for (size_t i = 0; copy && i < umbel_value_count(list); i++) {
        if (umbel_add_value(copy, NULL, umbel_value_at(list, i)) != UMBEL_OK) {
            umbel_value_free(copy);
            return NULL;
        }
    }
    return copy;
}

/* What is no list has no elements to copy, and is told of by the first result. */
static umbel_mapping *map_list(umbel_client *client, const char *task, const umbel_value *list, bool spread,
                               const umbel_map_options *options)
{
    bool is_list = umbel_value_kind(list) == UMBEL_LIST;
    struct source source = {.list = copy_of(is_list ? list : NULL), .spread = spread, .over = !is_list};
    return map(client, task, source, options);
}

umbel_mapping *umbel_map_with(umbel_client *client, const char *task, const umbel_value *list,
                              const umbel_map_options *options)
{
    return map_list(client, task, list, false, options);
}

umbel_mapping *umbel_starmap_with(umbel_client *client, const char *task, const umbel_value *list,
                                  const umbel_map_options *options)
{
    return map_list(client, task, list, true, options);
}

umbel_mapping *umbel_map_from_with(umbel_client *client, const char *task,
                                   bool (*next)(void *arg, umbel_value *arguments), void *arg,
                                   const umbel_map_options *options)
{
    return map(client, task, (struct source){.next = next, .arg = arg}, options);
}
