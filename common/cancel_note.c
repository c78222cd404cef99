/* cancel_note.c: see cancel_note.h. The words are Celery's: a waiter of any language reads why. */
#include "common/cancel_note.h"

#include "common/result.h"
#include "common/str.h"

#define WORD_TERMINATED "terminated"
#define WORD_REVOKED "revoked"

int cancel_note_write(struct buffer *out, umbel_str id, bool terminate, double now)
{
    struct buffer error;
    buffer_init(&error, CANCEL_NOTE_MAX);
    int code = result_write_error(CODEC_JSON, &error, STR("TaskRevokedError"),
                                  terminate ? STR(WORD_TERMINATED) : STR(WORD_REVOKED));
    struct result_parts parts = {.id = id,
                                 .state = RESULT_REVOKED,
                                 .value = {(const char *)buffer_head(&error), buffer_length(&error)},
                                 .done_at = now};
    if (code == UMBEL_OK)
        code = result_write(CODEC_JSON, out, &parts);
    buffer_fini(&error);
    return code;
}

int cancel_note_read(struct arena *arena, umbel_str payload, umbel_str *id, bool *terminate)
{
    struct result_view view;
    if (result_read(arena, payload, &view) != UMBEL_OK || view.state != RESULT_REVOKED || view.id.size == 0)
        return UMBEL_BAD_MESSAGE;
    *id = view.id;
    *terminate = str_equal(view.error_message, STR(WORD_TERMINATED));
    return UMBEL_OK;
}
