/* settings.h: what `umbel worker` can be told. One row per setting gives the flag, the environment variable,
 * the range and the help; Celery's flag names where Celery has the flag. The command line wins over the
 * environment. */
#ifndef WORKER_SETTINGS_H
#define WORKER_SETTINGS_H

#include <umbel/task.h>
#include "common/buffer.h"

#define SETTINGS_SLOTS_MAX 1024

/* X(member, type, shown short form, flag, environment, default, least, most, parameter, help) */
#define SETTINGS(X)                                                                                          \
    X(pool, TEXT, "-P, ", "pool", "UMBEL_POOL", "prefork", 0, 0, "NAME",                                     \
      "what runs the tasks: prefork, threads, coroutines or solo")                                           \
    X(concurrency, COUNT, "-c, ", "concurrency", "UMBEL_CONCURRENCY", "0", 0, 100000, "N",                   \
      "tasks that run at once, in all children together; 0 = the number of processors, coroutines: 1000")    \
    X(processes, COUNT, "", "processes", "UMBEL_PROCESSES", "1", 1, 256, "N",                                \
      "children that share them, of threads and coroutines")                                                 \
    X(stack_size, COUNT, "", "stack-size", "UMBEL_STACK_SIZE", "256", 64, 1048576, "KIB",                    \
      "coroutines: the stack of each")                                                                       \
    X(autoscale, TEXT, "", "autoscale", "UMBEL_AUTOSCALE", "", 0, 0, "MAX,MIN",                              \
      "as many slots as there are tasks in hand, between these; -c does not count then")                     \
    X(autoscale_idle, SECONDS, "", "autoscale-idle", "UMBEL_AUTOSCALE_IDLE", "30", 0.1, 1e9, "SECONDS",      \
      "slots that were not needed for so long are given up")                                                 \
    X(queues, TEXT, "-Q, ", "queues", "UMBEL_QUEUES", "celery", 0, 0, "A,B",                                 \
      "queues to consume, separated by commas")                                                              \
    X(hostname, TEXT, "-n, ", "hostname", "UMBEL_HOSTNAME", "umbel@%h", 0, 0, "NAME",                        \
      "this worker's name; %h host, %n its first label, %d its domain")                                      \
    X(loglevel, LEVEL, "-l, ", "loglevel", "UMBEL_LOGLEVEL", "warning", 0, 0, "LEVEL",                       \
      "debug, info, warning or error")                                                                       \
    X(logfile, TEXT, "-f, ", "logfile", "UMBEL_LOGFILE", "", 0, 0, "PATH",                                   \
      "log lines go here instead of stderr; reopened on SIGHUP")                                             \
    X(log_format, TEXT, "", "log-format", "UMBEL_LOG_FORMAT", "text", 0, 0, "FORMAT", "text or json")        \
    X(no_color, SWITCH, "", "no-color", "NO_COLOR", "", 0, 0, "", "no colours, even at a terminal")          \
    X(time_limit, SECONDS, "", "time-limit", "UMBEL_TIME_LIMIT", "0", 0, 1e9, "SECONDS",                     \
      "a task that runs longer is killed; 0 = no limit")                                                     \
    X(soft_time_limit, SECONDS, "", "soft-time-limit", "UMBEL_SOFT_TIME_LIMIT", "0", 0, 1e9, "SECONDS",      \
      "a task that runs longer is asked to end; 0 = no limit")                                               \
    X(max_tasks_per_child, COUNT, "", "max-tasks-per-child", "UMBEL_MAX_TASKS_PER_CHILD", "0", 0, 1e15, "N", \
      "a child is replaced after so many tasks; 0 = never")                                                  \
    X(max_memory_per_child, COUNT, "", "max-memory-per-child", "UMBEL_MAX_MEMORY_PER_CHILD", "0", 0, 1e12,   \
      "KIB", "a child that uses more is killed, its task fails; 0 = no limit")                               \
    X(prefetch_multiplier, COUNT, "", "prefetch-multiplier", "UMBEL_PREFETCH_MULTIPLIER", "0", 0, 10000,     \
      "N", "deliveries in hand per slot and queue; 0 = as the tasks' length asks for")                       \
    X(max_deaths, COUNT, "", "max-deaths", "UMBEL_MAX_DEATHS", "3", 1, 1000, "N",                            \
      "a task that has killed so many children is parked in QUEUE.dead")                                     \
    X(at_most_once, SWITCH, "", "at-most-once", "UMBEL_AT_MOST_ONCE", "", 0, 0, "",                          \
      "acknowledge before running, for tasks that do not say: a crash loses them")                           \
    X(ignore_result, SWITCH, "", "ignore-result", "UMBEL_IGNORE_RESULT", "", 0, 0, "",                       \
      "store no results, for tasks that do not say")                                                         \
    X(track_started, SWITCH, "", "track-started", "UMBEL_TRACK_STARTED", "", 0, 0, "",                       \
      "store STARTED, with pid and worker, when a task begins, for tasks that do not say")                   \
    X(result_serializer, TEXT, "", "result-serializer", "UMBEL_RESULT_SERIALIZER", "json", 0, 0, "NAME",     \
      "json or msgpack; Umbel's own clients get what they sent")                                             \
    X(result_expires, SECONDS, "", "result-expires", "UMBEL_RESULT_EXPIRES", "86400", 0, 1e9, "SECONDS",     \
      "how long results are kept; 0 = for ever")                                                             \
    X(queue_max_priority, COUNT, "", "queue-max-priority", "UMBEL_QUEUE_MAX_PRIORITY", "0", 0, 255, "N",     \
      "x-max-priority of queues that this worker has to create; 0 = none")                                   \
    X(stop_timeout, SECONDS, "", "stop-timeout", "UMBEL_STOP_TIMEOUT", "30", 0, 1e9, "SECONDS",              \
      "how long a warm stop waits for running tasks before they are handed back")                            \
    X(max_waiting, COUNT, "", "max-waiting", "UMBEL_MAX_WAITING", "64", 1, 1000, "N",                        \
      "tasks that may wait at once for tasks they have called; each keeps a child")                          \
    X(task_events, SWITCH, "-E, ", "task-events", "UMBEL_TASK_EVENTS", "", 0, 0, "",                         \
      "send task events to monitors")                                                                        \
    X(heartbeat_interval, SECONDS, "", "heartbeat-interval", "UMBEL_HEARTBEAT_INTERVAL", "2", 0.1, 3600,     \
      "SECONDS", "how often monitors are told that this worker lives")                                       \
    X(without_heartbeat, SWITCH, "", "without-heartbeat", "UMBEL_WITHOUT_HEARTBEAT", "", 0, 0, "",           \
      "tell monitors nothing of this worker's life")                                                         \
    X(revoke_expires, SECONDS, "", "revoke-expires", "UMBEL_REVOKE_EXPIRES", "86400", 1, 1e9, "SECONDS",     \
      "how long an id stays revoked")                                                                        \
    X(without_gossip, SWITCH, "", "without-gossip", "UMBEL_WITHOUT_GOSSIP", "", 0, 0, "",                    \
      "accepted for Celery's sake; there is none")                                                           \
    X(without_mingle, SWITCH, "", "without-mingle", "UMBEL_WITHOUT_MINGLE", "", 0, 0, "",                    \
      "accepted for Celery's sake; there is none")

typedef const char *setting_TEXT;
typedef uint64_t setting_COUNT;
typedef double setting_SECONDS;
typedef bool setting_SWITCH;
typedef umbel_level setting_LEVEL;

struct settings {
#define SETTING_MEMBER(member, type, shown, flag, environment, standard, least, most, parameter, help)       \
    setting_##type member;
    SETTINGS(SETTING_MEMBER)
#undef SETTING_MEMBER
    bool help; /* --help was asked for: nothing else counts */
};

/* The text of `umbel worker --help`. */
extern const char settings_usage[];

/* Fills settings from the defaults, the environment (`getenv`'s shape, so that tests can lend one) and
 * argv[1..]. Texts are borrowed from those. UMBEL_OK, or UMBEL_BAD_ARGUMENT with one sentence that says what
 * is allowed. */
int settings_read(struct settings *settings, int argc, char **argv, char *(*environment)(const char *),
                  struct buffer *why);

#endif
