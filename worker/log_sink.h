/* log_sink.h: where a worker's lines go: a file or stderr, as text or as one JSON object per line.
 *
 * What one turn of the loop says leaves in one write. A reader that does not read cannot stop the worker: a
 * full pipe keeps lines here up to a mebibyte, after that they are counted and dropped, and the count is the
 * next line. */
#ifndef WORKER_LOG_SINK_H
#define WORKER_LOG_SINK_H

#include "common/buffer.h"
#include "common/log.h"
#include "common/loop.h"

struct log_entry {
    umbel_level level;
    const char *area;   /* "redis", "task" */
    umbel_str task, id; /* empty: not about a task */
    double runtime;     /* seconds; < 0: none */
    umbel_str message;
};

struct log_sink {
    struct log log;           /* what the other parts are given */
    const struct log *onward; /* where lines go instead, once log_sink_borrow was called */
    bool borrowed;
    struct buffer out;
    int fd;
    const char *path; /* NULL: stderr */
    bool json, colour, pipe;
    uint64_t dropped;
    struct loop *loop; /* NULL: every line is written at once */
    struct turn_hook hook;
    uv_timer_t timer; /* tries again when a pipe was full */
    int64_t second;   /* that `stamp` was made for */
    char stamp[32];
};

/* Path NULL or "" is stderr. UMBEL_OK, or UMBEL_SYSTEM with errno set. */
int log_sink_open(struct log_sink *sink, const char *path, umbel_level level, bool json, bool colour);
/* A sink without a descriptor, for a worker inside a program: lines go to that program's log, which must
 * outlive it; from WARNING on, since a program does not want two lines per task, but everything that tasks
 * say. Without a log (NULL) it is silent, and what tasks say goes to stderr as it is. */
void log_sink_borrow(struct log_sink *sink, const struct log *onward);
/* A line that a task said. */
bool log_sink_hears(const struct log_sink *sink, umbel_level level);
/* From now on lines leave at the end of the turn; log_sink_detach goes back to at once, before the loop ends.
 */
void log_sink_attach(struct log_sink *sink, struct loop *loop);
void log_sink_detach(struct log_sink *sink);
/* Opens the path again, for those who rotate logs. Keeps the old file when that fails. */
int log_sink_reopen(struct log_sink *sink);
void log_sink_close(struct log_sink *sink);
/* The caller has asked log_wants. */
void log_sink_entry(struct log_sink *sink, const struct log_entry *entry);
/* Appends the line of an entry as it would be written at `now`. Pure but for the cached stamp. */
void log_sink_format(struct log_sink *sink, const struct log_entry *entry, double now);

#endif
