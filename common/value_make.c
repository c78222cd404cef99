/* value_make.c: arrays that double in an arena, equal keys, and text that is none.
 *
 * A peer decides how many keys there are, so looking for equal ones must not cost n * n: past a few, they are
 * sorted. */
#include "common/value_make.h"

#include <stdlib.h>
#include <string.h>

#include "common/str.h"

enum { CAPACITY_FIRST = 4, FEW = 12 };

static bool reserve(struct arena *arena, umbel_value *container, size_t size)
{
    uint32_t capacity = container->capacity ? container->capacity * 2 : CAPACITY_FIRST;
    void *moved = container->capacity > UINT32_MAX / 4 ? NULL : arena_alloc(arena, capacity * size);
    if (!moved)
        return false;
    if (container->count)
        memcpy(moved, container->as.items, container->count * size);
    container->as.items = moved; /* the same place in the union as pairs */
    container->capacity = capacity;
    return true;
}

umbel_value *value_list_add(struct arena *arena, umbel_value *list)
{
    if (list->count == list->capacity && !reserve(arena, list, sizeof *list->as.items))
        return NULL;
    return &list->as.items[list->count++];
}

umbel_value *value_map_add(struct arena *arena, umbel_value *map, umbel_str key)
{
    if (map->count == map->capacity && !reserve(arena, map, sizeof *map->as.pairs))
        return NULL;
    struct value_pair *pair = &map->as.pairs[map->count++];
    pair->key = key;
    return &pair->value;
}

/* Key {NULL, 0} marks a pair that is to go. */
static void drop_marked(umbel_value *map)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < map->count; i++) {
        if (map->as.pairs[i].key.data)
            map->as.pairs[kept++] = map->as.pairs[i];
    }
    map->count = kept;
}

static void supersede(struct value_pair *first, struct value_pair *later)
{
    first->value = later->value;
    later->key = STR_NONE;
}

static void finish_few(umbel_value *map)
{
    bool found = false;
    for (uint32_t i = 1; i < map->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (map->as.pairs[j].key.data && str_equal(map->as.pairs[j].key, map->as.pairs[i].key)) {
                supersede(&map->as.pairs[j], &map->as.pairs[i]);
                found = true;
                break;
            }
        }
    }
    if (found)
        drop_marked(map);
}

/* By size, content, place: equal keys stand together, the first of them first. */
static int compare(const void *left, const void *right)
{
    const struct value_pair *a = *(struct value_pair *const *)left, *b = *(struct value_pair *const *)right;
    if (a->key.size != b->key.size)
        return a->key.size < b->key.size ? -1 : 1;
    int order = memcmp(a->key.data, b->key.data, a->key.size);
    return order ? order : a < b ? -1 : 1;
}

static bool finish_many(struct arena *arena, umbel_value *map)
{
    struct value_pair **sorted = arena_alloc(arena, map->count * sizeof *sorted);
    bool found = false;
    if (!sorted)
        return false;
    for (uint32_t i = 0; i < map->count; i++)
        sorted[i] = &map->as.pairs[i];
    qsort(sorted, map->count, sizeof(struct value_pair *), compare);
    struct value_pair *first = sorted[0];
    for (uint32_t i = 1; i < map->count; i++) {
        if (str_equal(first->key, sorted[i]->key)) {
            supersede(first, sorted[i]);
            found = true;
        } else {
            first = sorted[i];
        }
    }
    if (found)
        drop_marked(map);
    return true;
}

bool value_map_finish(struct arena *arena, umbel_value *map)
{
    if (map->count > FEW)
        return finish_many(arena, map);
    finish_few(map);
    return true;
}

bool value_make_not_text(struct arena *arena, umbel_str bytes, umbel_value *out)
{
    static const char hex[] = "0123456789abcdef";
    char *to = bytes.size < SIZE_MAX / 8 ? arena_alloc(arena, bytes.size * 4 + 1) : NULL;
    *out = (umbel_value){.kind = VALUE_NOT_TEXT, .as.str = {to, 0}};
    if (!to)
        return false;
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = (uint8_t)bytes.data[i];
        if (byte >= 0x20 && byte < 0x7F) {
            *to++ = (char)byte;
        } else {
            memcpy(to, (char[]){'\\', 'x', hex[byte >> 4], hex[byte & 15]}, 4);
            to += 4;
        }
    }
    *to = '\0';
    out->as.str.size = (size_t)(to - out->as.str.data);
    return true;
}
