/* part_list.c: see part_list.h. */
#include "broker/part_list.h"

#include <stdlib.h>
#include "common/str.h"

enum part_verdict part_decide(umbel_str run, uint32_t kept, const struct backend_part *part)
{
    if (!str_equal(run, part->run))
        return part->number == 0 ? PART_BEGIN : PART_SUPERSEDED;
    if (part->number == kept)
        return PART_APPEND;
    return part->number < kept ? PART_THERE : PART_TOO_EARLY;
}

void part_list_fini(struct part_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free((char *)(uintptr_t)list->payloads[i].data);
    free(list->payloads);
    *list = (struct part_list){.count = 0};
}

static bool grow(struct part_list *list)
{
    uint32_t size = list->size ? list->size * 2 : 8;
    umbel_str *payloads =
        list->count < list->size ? list->payloads : realloc(list->payloads, size * sizeof *payloads);
    if (!payloads)
        return false;
    if (list->count == list->size)
        list->size = size;
    list->payloads = payloads;
    return true;
}

static int append(struct part_list *list, umbel_str payload)
{
    char *copy = malloc(payload.size + 1);
    if (!copy || !grow(list)) {
        free(copy);
        return UMBEL_BACKEND_REFUSED;
    }
    if (payload.size)
        memcpy(copy, payload.data, payload.size);
    list->payloads[list->count++] = (umbel_str){copy, payload.size};
    return UMBEL_OK;
}

int part_list_add(struct part_list *list, const struct backend_part *part)
{
    if (part->run.size == 0 || part->run.size > sizeof list->run)
        return UMBEL_BACKEND_REFUSED;
    switch (part_decide((umbel_str){list->run, list->run_size}, list->count, part)) {
    case PART_BEGIN:
        part_list_fini(list);
        memcpy(list->run, part->run.data, part->run.size);
        list->run_size = part->run.size;
        return append(list, part->payload);
    case PART_APPEND:
        return append(list, part->payload);
    case PART_THERE:
        return UMBEL_OK;
    case PART_SUPERSEDED:
        return UMBEL_ALREADY_DONE;
    case PART_TOO_EARLY:
        break;
    }
    return UMBEL_BACKEND_REFUSED;
}
