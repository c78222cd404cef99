/* sqlite_notes.h: what a loop asks of the database's thread, and what the thread answers: notes, in lists
 * that travel whole, so that a turn costs one hand-over and a note costs no malloc. */
#ifndef BROKER_SQLITE_NOTES_H
#define BROKER_SQLITE_NOTES_H

#include "common/buffer.h"

enum { NOTE_TEXTS = 4 };

enum note_flag {
    NOTE_WRITES = 1,   /* needs a transaction that writes */
    NOTE_SYNC = 2,     /* which must have reached the disk before it is answered */
    NOTE_KEEP = 4,     /* has no answer to say no with: is tried again until it is done */
    NOTE_OWN_FLAGS = 8 /* from here on the kind's own */
};

struct note {
    int kind; /* of the port's; 0: nothing is left to do */
    int code;
    unsigned flags;
    uint32_t consumer;
    uint64_t token, number;
    double when;
    struct {
        size_t at, size; /* in the list's bytes */
    } texts[NOTE_TEXTS];
};

struct notes {
    struct notes *next;
    struct note *items;
    size_t count, size;
    struct buffer bytes;
};

/* An empty list, or NULL when memory is out. */
struct notes *notes_new(void);
void notes_free(struct notes *notes);
/* Every list behind `first` too. */
void notes_free_all(struct notes *first);
void notes_clear(struct notes *notes);
/* A new note at the end, to be filled; NULL when memory is out. */
struct note *notes_add(struct notes *notes, int kind);
/* Takes the last one back. */
void notes_drop(struct notes *notes);
/* Copies a text behind the others. False when memory is out. */
bool notes_text(struct notes *notes, struct note *note, int which, umbel_str text);
/* Marks what was appended to notes->bytes since `from` as that text. */
void notes_text_since(struct notes *notes, struct note *note, int which, size_t from);

static inline umbel_str note_text(const struct notes *notes, const struct note *note, int which)
{
    return (umbel_str){(const char *)notes->bytes.data + note->texts[which].at, note->texts[which].size};
}

#endif
