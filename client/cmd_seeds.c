/* cmd_seeds.c: `umbel bench seeds`: runs two experiments in seven ways each, prints a table of each and draws
 * both.
 *
 * A way that fails says so in its row and the others go on; the exit code is that of the first that failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include "client/console.h"
#include "client/seeds.h"

#define NAME "bench seeds"

enum { DOWNLOADS = 930, SUMS = 2000, QUICK = 24, EXIT_INTERRUPTED = 130 };

struct seeds_line {
    const char *chart;
    bool quick;
};

struct session {
    struct seeds_place place;
    struct seeds_work works[SEEDS_WORKS];
    struct seeds_score scores[SEEDS_WORKS][SEEDS_WAYS];
    char caption[200]; /* when and where */
    int signals;
    FILE *chart;
};

static int parse_line(struct seeds_line *line, int argc, char **argv)
{
    static const struct option longs[] = {
        {"chart", required_argument, NULL, 'c'},
        {"quick", no_argument, NULL, 'q'},
        {NULL, 0, NULL, 0},
    };
    *line = (struct seeds_line){.chart = "umbel-seeds.svg"};
    int letter;
    while ((letter = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
        if (letter == ':')
            return console_usage(NAME, "a value is missing after '%s'", argv[optind - 1]);
        if (letter == '?')
            return console_usage(NAME, "there is no option '%s'", argv[optind - 1]);
        if (letter == 'c')
            line->chart = optarg;
        else
            line->quick = true;
    }
    return optind < argc ? console_usage(NAME, "'%s' is too much", argv[optind]) : EXIT_DONE;
}

/* ---- before and after ---- */

/* A download takes a descriptor here and one in the server, and 930 may be under way. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 4096) {
        limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* While a way runs its parent only waits, for it or for one of these. */
static int watch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static bool make_folder(struct seeds_place *place)
{
    const char *parent = getenv("TMPDIR");
    int length = snprintf(place->folder, sizeof place->folder, "%s/umbel-seeds-XXXXXX",
                          parent && *parent ? parent : "/tmp");
    if (length >= (int)sizeof place->folder) {
        errno = ENAMETOOLONG;
        return false;
    }
    return mkdtemp(place->folder);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status, (void)kind, (void)at;
    remove(path); /* what cannot be removed stays */
    return 0;
}

static void remove_folder(const struct seeds_place *place)
{
    for (int turn = 0; turn < 40; turn++) { /* the last file of a worker that was ended may come behind us */
        nftw(place->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        if (access(place->folder, F_OK))
            return;
        usleep(50000);
    }
}

static bool speaks_amqp(const char *url)
{
    return url && strncmp(url, "amqp", 4) == 0;
}

static void describe(struct session *session)
{
    char date[20] = "";
    time_t now = time(NULL);
    struct tm day;
    if (localtime_r(&now, &day))
        strftime(date, sizeof date, "%Y-%m-%d", &day);
    snprintf(session->caption, sizeof session->caption, "%s, %ld processors", date,
             sysconf(_SC_NPROCESSORS_ONLN));
}

/* ---- telling ---- */

static void print_row(const struct seeds_work *work, const struct seeds_score *scores, size_t way)
{
    const struct seeds_score *score = &scores[way];
    printf("  %-22s", seeds_ways[way].name);
    if (!seeds_was_run(score))
        printf("  %s%s\n", score->skipped ? "" : "failed: ", score->why);
    else if (!seeds_was_run(&scores[0]))
        printf("%9.3f s %9s %9.2f\n", score->seconds, "", work->seeds[way]);
    else
        printf("%9.3f s %9.2f %9.2f\n", score->seconds, seeds_speed_up(scores, way), work->seeds[way]);
    fflush(stdout);
}

/* ---- measuring ---- */

static void check_total(const struct seeds_score *serial, struct seeds_score *score)
{
    if (!seeds_was_run(serial) || !seeds_was_run(score) || score->total == serial->total)
        return;
    score->code = UMBEL_LOST;
    snprintf(score->why, sizeof score->why, "the results add up to %.17g, the serial ones to %.17g",
             score->total, serial->total);
}

/* Runs one way once more; the best time counts, for what else the machine does can only add to it. What was
 * skipped or failed stays so. */
static void take_turn(struct session *session, size_t at, size_t way, size_t turn)
{
    const struct seeds_work *work = &session->works[at];
    struct seeds_score *scores = session->scores[at], *score = &scores[way];
    double best = turn > 0 ? score->seconds : INFINITY;
    char doing[120];
    if (turn > 0 && !seeds_was_run(score))
        return;
    snprintf(doing, sizeof doing, "%s: %s", work->name, seeds_ways[way].name);
    console_progress(doing);
    seeds_run(work, &seeds_ways[way], &session->place, session->signals, score);
    console_progress(NULL);
    check_total(&scores[0], score);
    score->seconds = fmin(score->seconds, best);
}

/* The code of the first way that failed. The ways take turns, so that a machine that slows down for a while
 * does so for all of them. */
static int measure(struct session *session, size_t at)
{
    const struct seeds_work *work = &session->works[at];
    struct seeds_score *scores = session->scores[at];
    int code = UMBEL_OK;
    printf("%s%s: %s\n\n  %-22s %10s %9s %9s\n", at ? "\n" : "", work->name, work->what, "", "time",
           "speed-up", "seeds'");
    fflush(stdout);
    for (size_t i = 0; i < work->turns * SEEDS_WAYS && code != UMBEL_CANCELLED; i++) {
        size_t turn = i / SEEDS_WAYS, way = i % SEEDS_WAYS;
        take_turn(session, at, way, turn);
        if (turn + 1 == work->turns || scores[way].code == UMBEL_CANCELLED)
            print_row(work, scores, way);
        if (code == UMBEL_OK || scores[way].code == UMBEL_CANCELLED)
            code = scores[way].code;
    }
    return code;
}

static int draw(const struct session *session, const char *path)
{
    bool emptied = ftruncate(fileno(session->chart), 0) == 0 || errno == EINVAL; /* a pipe is as it is */
    bool drawn =
        emptied && seeds_chart_write(session->chart, session->works, session->scores, session->caption);
    if (!drawn) {
        console_complain(NAME, "the chart cannot be written to %s: %s", path, strerror(errno));
        return EXIT_SOFTWARE;
    }
    printf("\n%s; chart: %s\n", session->caption, path);
    return EXIT_DONE;
}

static int run_session(struct session *session, const struct seeds_line *line)
{
    pid_t server;
    int port, code = UMBEL_OK;
    if (!make_folder(&session->place) || seeds_server_start(&server, &port) != UMBEL_OK) {
        console_complain(NAME, "cannot begin: %s", strerror(errno));
        rmdir(session->place.folder);
        return EXIT_SOFTWARE;
    }
    seeds_work_downloads(&session->works[0], line->quick ? QUICK : DOWNLOADS, port);
    seeds_work_sums(&session->works[1], line->quick ? QUICK : SUMS);
    for (size_t at = 0; at < SEEDS_WORKS && code != UMBEL_CANCELLED; at++) {
        int failed = measure(session, at);
        if (code == UMBEL_OK || failed == UMBEL_CANCELLED)
            code = failed;
    }
    seeds_end(server, 1);
    remove_folder(&session->place);
    if (code == UMBEL_CANCELLED)
        return EXIT_INTERRUPTED;
    int exit_code = draw(session, line->chart);
    return code == UMBEL_OK ? exit_code : console_exit(code);
}

/* Opened before minutes are spent; what it holds is replaced only when there is something to draw. */
static FILE *open_chart(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file)
        console_complain(NAME, "the chart cannot be written to %s: %s", path, strerror(errno));
    return file;
}

static int run(const struct command_globals *globals, int argc, char **argv)
{
    struct seeds_line line;
    int exit_code = parse_line(&line, argc, argv);
    if (exit_code != EXIT_DONE)
        return exit_code;
    struct session session = {
        .place = {.rabbitmq = speaks_amqp(globals->broker) ? globals->broker : NULL,
                  .backend = globals->backend},
        .chart = open_chart(line.chart),
    };
    if (!session.chart)
        return EXIT_USAGE;
    raise_descriptors();
    describe(&session);
    session.signals = watch_signals();
    exit_code = run_session(&session, &line);
    close(session.signals);
    fclose(session.chart);
    return exit_code;
}

const struct command cmd_seeds = {
    .name = "seeds",
    .summary = "two experiments in seven ways",
    .usage = "usage: umbel bench seeds [--chart FILE] [--quick]\n"
             "\n"
             "Two experiments, one that waits and one that computes: 930 downloads from a local\n"
             "HTTP server that answers after 50 ms, and 2000 sums of 1/x + sqrt x + sin x + cos x.\n"
             "Each is done by a plain C loop in one thread, by 4 threads, by 4 processes, by a\n"
             "worker with 4 processes behind a sqlite queue and behind RabbitMQ, and by 4 and 930\n"
             "coroutines. Prints how long each took, how many times faster than the loop it was,\n"
             "and beside that the same figure of the seeds, which are these experiments in Python.\n"
             "Takes about three minutes; give it an idle machine.\n"
             "\n"
             "      --chart FILE    where to draw both tables, as SVG (umbel-seeds.svg)\n"
             "      --quick         24 calls instead: shows the form, measures nothing\n"
             "\n"
             "RabbitMQ's row is run when -b names an amqp:// URL and --result-backend where its\n"
             "results go. It uses a queue named umbel.seeds, which stays, empty.\n"
             "\n"
             "Ends with 0 when all that ran succeeded, 1 when a task failed, 2 for a wrong line,\n"
             "3 when no answer came in time, 4 when the broker or the result backend cannot be\n"
             "reached or refused.\n",
    .run = run,
};
