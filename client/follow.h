/* follow.h: prints the parts of a result as they come, for a command that sits at a desk (desk.h). */
#ifndef CLIENT_FOLLOW_H
#define CLIENT_FOLLOW_H

#include "client/desk.h"
#include "client/parts.h"

struct follow {
    const char *command;
    umbel_str id;
    struct part_queue *queue;
};

/* UMBEL_OK or UMBEL_NO_MEMORY. */
int follow_open(struct follow *follow, const char *command, const char *id);
void follow_close(struct follow *follow);
/* A part's map, from a notice or a read. */
void follow_take(struct follow *follow, umbel_str payload);
/* The read of follow_step was answered. */
void follow_answered(struct follow *follow, int code, const umbel_str *payloads, size_t count);
/* The task is done, and this is its result. */
void follow_end(struct follow *follow, const struct result_view *view);
/* Prints what is there and reads on where that is due. True: everything was printed. */
bool follow_step(struct follow *follow, struct backend *backend);
/* One part, or a word about parts, as both commands print them. */
void follow_print(const umbel_value *value);
void follow_say_restarted(const char *command);

#endif
