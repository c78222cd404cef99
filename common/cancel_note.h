/* cancel_note.h: how a caller says that a task is not wanted any more, over any broker that has a result
 * backend.
 *
 * The caller stores the task's end, REVOKED, in the backend: it stands from then on, whatever becomes of the
 * task. The notice of it goes to a channel that every worker of Umbel listens on, so that one that has the
 * task does not start it, or ends it. Python's workers do not listen there. */
#ifndef COMMON_CANCEL_NOTE_H
#define COMMON_CANCEL_NOTE_H

#include <stdbool.h>
#include "common/arena.h"
#include "common/buffer.h"

#define CANCEL_CHANNEL "umbel.cancel"
#define CANCEL_SECONDS 10800 /* a worker remembers it so long, as Python's do */
#define CANCEL_NOTE_MAX 4096u

/* Appends the result map. UMBEL_OK or UMBEL_NO_MEMORY. */
int cancel_note_write(struct buffer *out, umbel_str id, bool terminate, double now);
/* UMBEL_OK, with `id` in the arena; UMBEL_BAD_MESSAGE for anything else that came on the channel. */
int cancel_note_read(struct arena *arena, umbel_str payload, umbel_str *id, bool *terminate);

#endif
