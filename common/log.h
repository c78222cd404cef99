/* log.h: where lines go. A sink is given, never global: worker and client each have theirs. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <umbel/task.h>

struct log {
    umbel_level level; /* lines below it are not made */
    void (*write)(void *self, umbel_level level, const char *area, const char *line);
    void *self;
};

/* `area` is one word: "amqp", "redis", "worker", "pool". A NULL log is silent. Lines are cut at 4 KiB. */
void log_line(const struct log *log, umbel_level level, const char *area, const char *format, ...) UMBEL_PRINTF(4, 5);
static inline bool log_wants(const struct log *log, umbel_level level)
{
    return log && level >= log->level;
}

#endif
