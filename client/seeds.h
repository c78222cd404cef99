/* seeds.h: `umbel bench seeds`: two small experiments, one that waits and one that computes, each done in
 * seven ways. Part of the program.
 *
 * A work is a list of calls, a way is what makes them. Each way runs in a process of its own, forked by a
 * parent without threads, so that none finds what another has left. */
#ifndef CLIENT_SEEDS_H
#define CLIENT_SEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <umbel/task.h>

#define SEEDS_LATENCY_MS 50

enum { SEEDS_WHY = 240, SEEDS_WORKS = 2, SEEDS_WAYS = 7, SEEDS_TURNS = 3, SEEDS_DOWNLOAD = 1024 };

/* Call i is the task with one argument, first + i * step. */
struct seeds_work {
    const char *name; /* "I/O-bound" */
    char what[120];   /* "930 downloads ..." */
    const char *task; /* its name in seeds_module */
    int (*call)(int64_t argument,
                double *result); /* the same without Umbel: UMBEL_OK, UMBEL_SYSTEM (errno) */
    int64_t first, step;
    size_t calls;
    size_t turns;        /* how often all ways are run; the best time of each counts */
    const double *seeds; /* for each way, the speed-up it is compared with */
    bool logarithmic;    /* how its chart is drawn */
};

enum seeds_kind { SEEDS_SERIAL, SEEDS_IN_PROGRAM, SEEDS_SQLITE, SEEDS_RABBITMQ };

struct seeds_way {
    const char *name;
    enum seeds_kind kind;
    const char *url; /* SEEDS_IN_PROGRAM */
};

/* What came of one way of doing one work. */
struct seeds_score {
    bool skipped; /* not run, and why */
    int code;     /* UMBEL_OK; UMBEL_CANCELLED: a signal asked us to end */
    double seconds, total;
    char why[SEEDS_WHY];
};

/* It has a time. */
static inline bool seeds_was_run(const struct seeds_score *score)
{
    return !score->skipped && score->code == UMBEL_OK && score->seconds > 0;
}

/* How many times faster than the first way; both were run. */
static inline double seeds_speed_up(const struct seeds_score scores[SEEDS_WAYS], size_t way)
{
    return scores[0].seconds / scores[way].seconds;
}

/* Where the queues are. Strings are borrowed. */
struct seeds_place {
    const char *rabbitmq, *backend; /* NULL: none was named */
    char folder[200];               /* ours alone; holds the sqlite queue */
};

extern const struct seeds_way seeds_ways[SEEDS_WAYS];
extern const umbel_module_table seeds_module;

/* seeds_work.c: what is done */
void seeds_work_downloads(struct seeds_work *work, size_t calls, int port);
void seeds_work_sums(struct seeds_work *work, size_t calls);

/* seeds_way.c: does the work in a process of its own and waits for its end. `signals` is a signalfd, readable
 * when we are to end. */
void seeds_run(const struct seeds_work *work, const struct seeds_way *way, const struct seeds_place *place,
               int signals, struct seeds_score *score);

/* seeds_server.c: an HTTP server in a process of its own that answers every request after SEEDS_LATENCY_MS.
 * UMBEL_OK, or UMBEL_SYSTEM with errno. End it with seeds_end. */
int seeds_server_start(pid_t *pid, int *port);

/* seeds_process.c: fork() for a process that dies with us and that takes signals as if freshly started. */
pid_t seeds_fork(void);
/* Asks it to end, and ends it after `patience` seconds. */
void seeds_end(pid_t pid, double patience);

/* seeds_chart.c: both works as one SVG picture. False: errno says why. */
bool seeds_chart_write(FILE *to, const struct seeds_work works[SEEDS_WORKS],
                       const struct seeds_score scores[SEEDS_WORKS][SEEDS_WAYS], const char *caption);

#endif
