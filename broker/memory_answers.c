/* memory_answers.c: a ring that doubles. See memory_answers.h. */
#include "broker/memory_answers.h"

#include <stdlib.h>

void answers_fini(struct answers *answers)
{
    free(answers->items);
}

bool answers_room(struct answers *answers)
{
    if (answers->count < answers->size)
        return true;
    size_t size = answers->size ? answers->size * 2 : 64;
    struct answer *items = malloc(size * sizeof *items);
    if (!items)
        return false;
    for (size_t i = 0; i < answers->count; i++)
        items[i] = answers->items[(answers->first + i) & (answers->size - 1)];
    free(answers->items);
    *answers = (struct answers){items, 0, answers->count, size};
    return true;
}

void answers_add(struct answers *answers, struct answer item)
{
    answers->items[(answers->first + answers->count++) & (answers->size - 1)] = item;
}

struct answer answers_take(struct answers *answers)
{
    struct answer item = answers->items[answers->first];
    answers->first = (answers->first + 1) & (answers->size - 1);
    answers->count--;
    return item;
}
