/* task_log.h: the worker's line per task. Nothing here decides; it tells what was decided. */
#ifndef WORKER_TASK_LOG_H
#define WORKER_TASK_LOG_H

#include "worker/log_sink.h"
#include "worker/request_set.h"

void task_log_received(struct log_sink *sink, const struct message *msg);
/* Something about one task that is no outcome: adopted, held, handed back, ... */
void task_log_note(struct log_sink *sink, umbel_level level, const struct message *msg, const char *format,
                   ...) UMBEL_PRINTF(4, 5);
/* The verdict of an admission, where it ends the task. */
void task_log_refused(struct log_sink *sink, const struct message *msg, const struct verdict *verdict);
/* What a run came to. `deaths` counts this one. */
void task_log_outcome(struct log_sink *sink, const struct request *req, const struct outcome *outcome,
                      const struct verdict *verdict, int deaths);
/* A line the task itself said. */
void task_log_said(struct log_sink *sink, const struct message *msg, int pid, umbel_level level,
                   umbel_str line);

#endif
