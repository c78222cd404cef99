/* value_build.c: making lists and maps piece by piece.
 *
 * What a builder holds is a handle: a value of its own, at a fixed address, that also knows its place in its
 * parent. The parent's array moves when it grows, so each addition through a handle writes the new count and
 * array into that place as well. A place whose content was replaced (the same key set twice) is recognised by
 * its array, which belongs to one handle alone, and left as it is: the old handle goes on as a value that
 * hangs nowhere, as in Python. */
#include "common/value.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/str.h"

struct handle {
    umbel_value value; /* first: callers hold a pointer to it */
    struct handle *parent;
    uint32_t place; /* index in the parent */
};

struct root {
    struct handle handle; /* first: the root is freed through it */
    struct arena arena;
};

enum { CAPACITY_FIRST = 4 };

static size_t element_size(const umbel_value *container)
{
    return container->kind == UMBEL_LIST ? sizeof(umbel_value) : sizeof(struct value_pair);
}

static umbel_value *element(umbel_value *container, uint32_t index)
{
    return container->kind == UMBEL_LIST ? &container->as.items[index] : &container->as.pairs[index].value;
}

static bool reserve(umbel_value *container, uint32_t capacity)
{
    void *moved = arena_alloc(container->arena, capacity * element_size(container));
    if (!moved)
        return false;
    if (container->count)
        memcpy(moved, container->as.items, container->count * element_size(container));
    container->as.items = moved; /* the same place in the union as pairs */
    container->capacity = capacity;
    return true;
}

static struct root *root_new(void)
{
    struct root *root = calloc(1, sizeof *root);
    if (root)
        arena_init(&root->arena, 0);
    return root;
}

static umbel_value *container_new(umbel_kind kind)
{
    struct root *root = root_new();
    if (!root)
        return NULL;
    root->handle.value = (umbel_value){.kind = (uint8_t)kind, .depth = 1, .arena = &root->arena};
    if (!reserve(&root->handle.value, CAPACITY_FIRST)) {
        umbel_value_free(&root->handle.value);
        return NULL;
    }
    return &root->handle.value;
}

umbel_value *umbel_list_new(void)
{
    return container_new(UMBEL_LIST);
}

umbel_value *umbel_map_new(void)
{
    return container_new(UMBEL_MAP);
}

void umbel_value_free(umbel_value *value)
{
    struct root *root = (struct root *)value;
    if (!root)
        return;
    arena_fini(&root->arena);
    free(root);
}

int umbel_value_parse(const char *json, size_t size, umbel_value **out)
{
    struct root *root = root_new();
    umbel_value *value;
    if (!root)
        return UMBEL_NO_MEMORY;
    int code = codec_row(CODEC_JSON)->decode(&root->arena, (umbel_str){json, size}, &value, NULL);
    if (code) {
        umbel_value_free(&root->handle.value);
        return code;
    }
    root->handle.value = *value;
    if (value->kind == UMBEL_LIST || value->kind == UMBEL_MAP) { /* it can be added to */
        root->handle.value.arena = &root->arena;
        root->handle.value.depth = 1;
    }
    *out = &root->handle.value;
    return UMBEL_OK;
}

char *umbel_value_json(const umbel_value *value)
{
    struct buffer out;
    buffer_init(&out, SIZE_MAX / 2);
    if (codec_row(CODEC_JSON)->encode(&out, value) == UMBEL_OK)
        buffer_byte(&out, '\0');
    else
        out.failed = true;
    if (out.failed) {
        buffer_fini(&out);
        return NULL;
    }
    return (char *)out.data; /* nothing was taken from its front */
}

/* Writes `count` and array of a handle's value into its place, unless something else stands there by now. */
static void tell_parent(struct handle *handle, const void *array_before)
{
    if (!handle->parent)
        return;
    umbel_value *place = element(&handle->parent->value, handle->place);
    if (place->kind != handle->value.kind || place->as.items != array_before)
        return;
    place->count = handle->value.count;
    place->capacity = handle->value.capacity;
    place->as = handle->value.as;
}

static int key_of(umbel_value *parent, const char *key, umbel_str *copy)
{
    umbel_str text = str_of(key);
    if (!str_utf8(text))
        return UMBEL_BAD_VALUE;
    *copy = arena_str(parent->arena, text);
    return copy->data ? UMBEL_OK : UMBEL_NO_MEMORY;
}

/* The place for one more element: the old one of an equal key, or a new one at the end. */
static int add(umbel_value *parent, const char *key, const umbel_value *value, uint32_t *place)
{
    struct handle *handle = (struct handle *)parent;
    const void *array_before = parent->as.items;
    umbel_str copy = STR_NONE;
    const umbel_value *old = parent->kind == UMBEL_MAP ? value_find(parent, str_of(key)) : NULL;
    uint32_t index = parent->count;
    if (old) {
        index =
            (uint32_t)((const struct value_pair *)((const char *)old - offsetof(struct value_pair, value)) -
                       parent->as.pairs);
    } else {
        int code = parent->kind == UMBEL_MAP ? key_of(parent, key, &copy) : UMBEL_OK;
        if (code)
            return code;
        if (index == parent->capacity &&
            (index > UINT32_MAX / 4 || !reserve(parent, index ? index * 2 : CAPACITY_FIRST)))
            return UMBEL_NO_MEMORY;
        if (parent->kind == UMBEL_MAP)
            parent->as.pairs[index].key = copy;
        parent->count++;
    }
    *element(parent, index) = *value;
    tell_parent(handle, array_before);
    *place = index;
    return UMBEL_OK;
}

/* Only a handle has an arena; what a task or a future lends has none. */
static bool can_take(const umbel_value *parent, const char *key)
{
    if (!parent || !parent->arena)
        return false;
    return key ? parent->kind == UMBEL_MAP : parent->kind == UMBEL_LIST;
}

static int add_plain(umbel_value *parent, const char *key, umbel_value value)
{
    uint32_t place;
    return can_take(parent, key) ? add(parent, key, &value, &place) : UMBEL_BAD_TYPE;
}

int umbel_add_null(umbel_value *parent, const char *key)
{
    return add_plain(parent, key, (umbel_value){.kind = UMBEL_NULL});
}

int umbel_add_bool(umbel_value *parent, const char *key, bool value)
{
    return add_plain(parent, key, (umbel_value){.kind = UMBEL_BOOL, .as.boolean = value});
}

int umbel_add_int(umbel_value *parent, const char *key, int64_t value)
{
    return add_plain(parent, key, (umbel_value){.kind = UMBEL_INT, .as.integer = value});
}

int umbel_add_double(umbel_value *parent, const char *key, double value)
{
    return add_plain(parent, key, (umbel_value){.kind = UMBEL_DOUBLE, .as.real = value});
}

static int add_copied(umbel_value *parent, const char *key, umbel_kind kind, umbel_str text)
{
    if (!can_take(parent, key))
        return UMBEL_BAD_TYPE;
    umbel_value value = {.kind = (uint8_t)kind, .as.str = arena_str(parent->arena, text)};
    return value.as.str.data ? add_plain(parent, key, value) : UMBEL_NO_MEMORY;
}

int umbel_add_str(umbel_value *parent, const char *key, const char *text)
{
    return text ? umbel_add_strn(parent, key, str_of(text)) : umbel_add_null(parent, key);
}

int umbel_add_strn(umbel_value *parent, const char *key, umbel_str text)
{
    return str_utf8(text) ? add_copied(parent, key, UMBEL_STRING, text) : UMBEL_BAD_VALUE;
}

int umbel_add_bytes(umbel_value *parent, const char *key, const void *data, size_t size)
{
    return add_copied(parent, key, UMBEL_BYTES, (umbel_str){data, size});
}

int umbel_add_value(umbel_value *parent, const char *key, const umbel_value *value)
{
    if (!can_take(parent, key))
        return UMBEL_BAD_TYPE;
    if (parent->depth + value_height(value) > UMBEL_DEPTH_MAX)
        return UMBEL_TOO_DEEP;
    umbel_value *copy = value_copy(parent->arena, value);
    return copy ? add_plain(parent, key, *copy) : UMBEL_NO_MEMORY;
}

static umbel_value *add_container(umbel_value *parent, const char *key, umbel_kind kind)
{
    if (!can_take(parent, key) || parent->depth >= UMBEL_DEPTH_MAX)
        return NULL;
    struct handle *child = arena_alloc(parent->arena, sizeof *child);
    if (!child)
        return NULL;
    *child = (struct handle){.value = {.kind = (uint8_t)kind, .arena = parent->arena}};
    child->value.depth = (uint8_t)(parent->depth + 1);
    child->parent = (struct handle *)parent;
    if (!reserve(&child->value, CAPACITY_FIRST)) /* now, so that its array tells it apart */
        return NULL;
    umbel_value place = child->value;
    place.arena = NULL;
    return add(parent, key, &place, &child->place) ? NULL : &child->value;
}

umbel_value *umbel_add_list(umbel_value *parent, const char *key)
{
    return add_container(parent, key, UMBEL_LIST);
}

umbel_value *umbel_add_map(umbel_value *parent, const char *key)
{
    return add_container(parent, key, UMBEL_MAP);
}
