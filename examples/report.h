/* report.h: what the demo wants to know of a file. */
#ifndef EXAMPLES_REPORT_H
#define EXAMPLES_REPORT_H

#include <stdint.h>

struct report {
    uint64_t bytes, lines, words, distinct; /* a word is a run of letters, digits and underscores */
    char sha256[65];
};

/* Reads a file. 0, or an errno value. */
int report_file(struct report *report, const char *path);

#endif
