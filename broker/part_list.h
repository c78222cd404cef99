/* part_list.h: the parts of one result, in memory, and the rule which of them are kept. Not locked. */
#ifndef BROKER_PART_LIST_H
#define BROKER_PART_LIST_H

#include "broker/backend.h"

/* What to do with a part when `kept` of `run` are there ("" = of none): the rule of backend_ops.add_part.
 * Pure. */
enum part_verdict {
    PART_APPEND,
    PART_BEGIN,      /* forget those that are there first */
    PART_THERE,      /* nothing to do: it was kept before */
    PART_SUPERSEDED, /* UMBEL_ALREADY_DONE */
    PART_TOO_EARLY   /* UMBEL_BACKEND_REFUSED: the one before it is missing */
};
enum part_verdict part_decide(umbel_str run, uint32_t kept, const struct backend_part *part);

struct part_list { /* of zeros: empty */
    char run[BACKEND_RUN_MAX];
    size_t run_size;
    umbel_str *payloads;
    uint32_t count, size;
};

void part_list_fini(struct part_list *list);
/* UMBEL_OK, UMBEL_ALREADY_DONE or UMBEL_BACKEND_REFUSED (also when memory is out). */
int part_list_add(struct part_list *list, const struct backend_part *part);

#endif
