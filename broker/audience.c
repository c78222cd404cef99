/* audience.c: see audience.h. Both kinds of names are in one table, each with its kind as its first letter.
 */
#include "broker/audience.h"

#include <stdlib.h>

enum { SMALL = 160 };

struct name {
    struct table_node node;
    char text[]; /* the kind, then the name */
};

static umbel_str write_key(char *key, enum audience_kind kind, umbel_str name)
{
    key[0] = (char)kind;
    if (name.size)
        memcpy(key + 1, name.data, name.size);
    return (umbel_str){key, name.size + 1};
}

void audience_init(struct audience *audience)
{
    *audience = (struct audience){.tasks = 0};
    table_init(&audience->names);
}

void audience_fini(struct audience *audience)
{
    struct table_node *next;
    for (struct table_node *at = table_next(&audience->names, NULL); at; at = next) {
        next = table_next(&audience->names, at);
        free(at);
    }
    table_fini(&audience->names);
}

/* Nearly every name is short; a long one is copied elsewhere for the look. */
static struct table_node *find(const struct audience *audience, enum audience_kind kind, umbel_str name)
{
    char small[SMALL];
    char *large = name.size < SMALL ? NULL : malloc(name.size + 1);
    if (!large && name.size >= SMALL)
        return NULL;
    struct table_node *node = table_find(&audience->names, write_key(large ? large : small, kind, name));
    free(large);
    return node;
}

static size_t *count_of(struct audience *audience, enum audience_kind kind)
{
    return kind == AUDIENCE_TASK ? &audience->tasks : &audience->channels;
}

bool audience_add(struct audience *audience, enum audience_kind kind, umbel_str text)
{
    struct name *name = malloc(sizeof *name + 1 + text.size);
    if (!name)
        return false;
    name->node.key = write_key(name->text, kind, text);
    bool known = table_find(&audience->names, name->node.key);
    if (known || table_add(&audience->names, &name->node) != UMBEL_OK) {
        free(name);
        return known;
    }
    ++*count_of(audience, kind);
    return true;
}

void audience_drop(struct audience *audience, enum audience_kind kind, umbel_str name)
{
    struct table_node *node = find(audience, kind, name);
    if (!node)
        return;
    table_remove(&audience->names, node);
    free(node);
    --*count_of(audience, kind);
}

enum audience_kind audience_wants(const struct audience *audience, umbel_str task, umbel_str channel)
{
    if (channel.size && audience->channels && find(audience, AUDIENCE_CHANNEL, channel))
        return AUDIENCE_CHANNEL;
    return audience->tasks && find(audience, AUDIENCE_TASK, task) ? AUDIENCE_TASK : AUDIENCE_NOBODY;
}
