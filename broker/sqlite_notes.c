/* sqlite_notes.c: see sqlite_notes.h. */
#include "broker/sqlite_notes.h"

#include <stdlib.h>
#include <string.h>

enum { COUNT_FIRST = 64, COUNT_KEPT = 8192 };

struct notes *notes_new(void)
{
    struct notes *notes = calloc(1, sizeof *notes);
    if (notes)
        buffer_init(&notes->bytes, SIZE_MAX / 2);
    return notes;
}

void notes_free(struct notes *notes)
{
    if (!notes)
        return;
    buffer_fini(&notes->bytes);
    free(notes->items);
    free(notes);
}

void notes_free_all(struct notes *first)
{
    while (first) {
        struct notes *next = first->next;
        notes_free(first);
        first = next;
    }
}

void notes_clear(struct notes *notes)
{
    notes->next = NULL;
    notes->count = 0;
    if (notes->size > COUNT_KEPT) {
        free(notes->items);
        notes->items = NULL;
        notes->size = 0;
    }
    buffer_clear(&notes->bytes);
}

struct note *notes_add(struct notes *notes, int kind)
{
    if (notes->count == notes->size) {
        size_t size = notes->size ? notes->size * 2 : COUNT_FIRST;
        struct note *items = realloc(notes->items, size * sizeof *items);
        if (!items)
            return NULL;
        notes->items = items;
        notes->size = size;
    }
    struct note *note = &notes->items[notes->count++];
    memset(note, 0, sizeof *note);
    note->kind = kind;
    return note;
}

void notes_drop(struct notes *notes)
{
    notes->count--;
    notes->bytes.failed = false;
}

void notes_text_since(struct notes *notes, struct note *note, int which, size_t from)
{
    note->texts[which].at = from;
    note->texts[which].size = notes->bytes.end - from;
}

bool notes_text(struct notes *notes, struct note *note, int which, umbel_str text)
{
    size_t from = notes->bytes.end;
    buffer_add(&notes->bytes, text.data, text.size);
    notes_text_since(notes, note, which, from);
    return !notes->bytes.failed;
}
