/* demo.c: the demo's client: demo FOLDER [FILES-AT-MOST]. One task a file, results as they complete, a table
 * at the end.
 *
 * The URLs come from UMBEL_BROKER_URL and UMBEL_RESULT_BACKEND. The same work is then done by the same C
 * function in this one process, to compare the time and every digest. */
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <umbel.h>
#include <unistd.h>
#include "report.h"

#define TOP 5

struct item {
    char *path;
    umbel_future *future;
    struct report report;
    bool failed;
};

/* Filled by the client's thread, emptied by main. */
struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct item **done;
    size_t count;
};

static struct {
    struct item *items;
    size_t count, most;
} found; /* nftw hands no pointer to its callback */

static struct inbox inbox = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, 0};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the files
 * ------------------------------------------------------------------------------------------------- */

static int note(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)where;
    if (kind != FTW_F || !S_ISREG(about->st_mode) || access(path, R_OK))
        return 0;
    for (const char *c = path; *c; c++) /* a name that is not plain text cannot travel as a string */
        if ((unsigned char)*c >= 0x80)
            return 0;
    char *copy = strdup(path);
    if (!copy)
        return 1;
    found.items[found.count++].path = copy;
    return found.count == found.most;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->path, ((const struct item *)b)->path);
}

static int find(const char *folder, size_t most)
{
    char *real = realpath(folder, NULL);
    found.most = most;
    found.items = calloc(most, sizeof *found.items);
    int code = real && found.items ? nftw(real, note, 32, FTW_PHYS) : -1;
    free(real);
    if (code < 0)
        return -1;
    qsort(found.items, found.count, sizeof *found.items, by_path);
    return 0;
}

/* ---- through the queue
 * ----------------------------------------------------------------------------------------- */

static void arrived(umbel_future *future, void *arg)
{
    (void)future;
    pthread_mutex_lock(&inbox.lock);
    inbox.done[inbox.count++] = arg;
    pthread_cond_signal(&inbox.arrived);
    pthread_mutex_unlock(&inbox.lock);
}

static uint64_t number(const umbel_value *map, const char *key)
{
    int64_t n = 0;
    umbel_value_int(umbel_value_find(map, key), &n);
    return (uint64_t)n;
}

static void read_result(struct item *item)
{
    const umbel_value *map = NULL;
    umbel_str sha256 = {"", 0};
    if (umbel_get(item->future, 0, &map) || umbel_value_str(umbel_value_find(map, "sha256"), &sha256)) {
        item->failed = true;
        fprintf(stderr, "\r\033[K%s\n", umbel_error(item->future));
    } else {
        item->report = (struct report){number(map, "bytes"), number(map, "lines"), number(map, "words"),
                                       number(map, "distinct"), ""};
        snprintf(item->report.sha256, sizeof item->report.sha256, "%s", sha256.data);
    }
    umbel_future_free(item->future);
    item->future = NULL;
}

static int columns(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

/* One line that is overwritten, so it must not reach the last column. */
static void draw(size_t done, size_t all, double since, const char *path)
{
    static double last;
    char line[256];
    if (!isatty(2) || (done < all && now() - last < 0.05))
        return;
    last = now();
    int width = columns(2), bar = width / 3 < 30 ? width / 3 : 30;
    int filled = (int)((size_t)bar * done / all);
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    snprintf(line, sizeof line, "  [%.*s%.*s] %zu of %zu  %.0f/s  %s", filled,
             "##############################", bar - filled, "..............................", done, all,
             (double)done / (last - since + 1e-9), done < all ? name : "");
    fprintf(stderr, "\r\033[K%.*s%s", width - 1, line, done == all ? "\n" : "");
}

/* Takes results as they come; the last argument says how long nothing may come. */
static int collect(double began, double patience)
{
    for (size_t done = 0; done < found.count;) {
        struct timespec end;
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += (time_t)patience;
        pthread_mutex_lock(&inbox.lock);
        int code = 0;
        while (inbox.count == done && !code)
            code = pthread_cond_timedwait(&inbox.arrived, &inbox.lock, &end);
        size_t ready = inbox.count;
        pthread_mutex_unlock(&inbox.lock);
        if (ready == done)
            return -1;
        for (; done < ready; done++) {
            read_result(inbox.done[done]);
            draw(done + 1, found.count, began, inbox.done[done]->path);
        }
    }
    return 0;
}

static int run_tasks(double *took)
{
    umbel_client *client = umbel_connect(NULL, NULL);
    if (umbel_client_wait(client, 30)) {
        fprintf(stderr, "demo: %s\n", umbel_client_error(client));
        return -1;
    }
    inbox.done = calloc(found.count, sizeof *inbox.done);
    double began = now();
    for (size_t i = 0; i < found.count; i++) {
        struct item *item = &found.items[i];
        item->future =
            umbel_submit(client, "files.report", UMBEL_ARGS(item->path), .serializer = UMBEL_MSGPACK);
        umbel_on_done(item->future, arrived, item);
    }
    int code = collect(began, 60);
    *took = now() - began;
    if (code)
        fprintf(stderr, "\ndemo: no result for a minute\n");
    umbel_close(client, 1);
    return code;
}

/* ---- in this process, and the table
 * ---------------------------------------------------------------------------- */

static void run_here(struct report *reports)
{
    for (size_t i = 0; i < found.count; i++)
        report_file(&reports[i], found.items[i].path);
}

static size_t differences(const struct report *reports)
{
    size_t count = 0;
    for (size_t i = 0; i < found.count; i++)
        count += found.items[i].failed || strcmp(found.items[i].report.sha256, reports[i].sha256) ||
                 found.items[i].report.words != reports[i].words;
    return count;
}

static void print_end_of(const char *path, int room)
{
    int length = (int)strlen(path);
    if (length <= room)
        puts(path);
    else
        printf("...%s\n", path + (room > 8 ? length - room + 3 : length - 5));
}

static int by_words(const void *a, const void *b)
{
    uint64_t x = ((const struct item *)a)->report.words, y = ((const struct item *)b)->report.words;
    return (x < y) - (x > y);
}

/* A narrow terminal gets words and names alone. */
static void print_longest(int width)
{
    bool wide = width >= 72;
    printf("\n  the longest:     words%s  file\n", wide ? "  distinct  sha256      " : "");
    for (size_t i = 0; i < TOP && i < found.count; i++) {
        const struct report *r = &found.items[i].report;
        printf("  %22llu", (unsigned long long)r->words);
        if (wide)
            printf(" %9llu  %.12s", (unsigned long long)r->distinct, r->sha256);
        printf("  ");
        print_end_of(found.items[i].path, wide ? width - 51 : width - 27);
    }
}

static void print_table(double took, double here, size_t different)
{
    uint64_t bytes = 0, lines = 0, words = 0;
    for (size_t i = 0; i < found.count; i++) {
        bytes += found.items[i].report.bytes;
        lines += found.items[i].report.lines;
        words += found.items[i].report.words;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int width = isatty(1) ? columns(1) : 4096;
    printf("\n  files %14zu\n  megabytes %10.1f\n  lines %14llu\n  words %14llu\n", found.count,
           (double)bytes / 1e6, (unsigned long long)lines, (unsigned long long)words);
    qsort(found.items, found.count, sizeof *found.items, by_words);
    print_longest(width);
    printf("\n  through the queue %8.2f s   %7.0f tasks/s   %7.1f MB/s\n", took, (double)found.count / took,
           (double)bytes / 1e6 / took);
    printf("  one process alone %8.2f s   %7.0f files/s   %7.1f MB/s\n", here, (double)found.count / here,
           (double)bytes / 1e6 / here);
    printf("  speed-up          %8.2f on %ld processors; %zu of %zu results differ\n\n", here / took, cores,
           different, found.count);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";
    long most = argc > 2 ? atol(argv[2]) : 2000;
    if (most < 1 || find(folder, (size_t)most)) {
        fprintf(stderr, "demo: %s: %s\n", folder, strerror(errno));
        return 1;
    }
    if (found.count == 0) {
        fprintf(stderr, "demo: there are no files below %s\n", folder);
        return 1;
    }
    struct report *reports = calloc(found.count, sizeof *reports);
    printf("%zu files below %s, one task each\n", found.count, folder);
    printf("reading them once, so that both runs find them in memory\n");
    fflush(stdout);
    run_here(reports);
    double took = 0;
    if (run_tasks(&took))
        return 1;
    double began = now();
    run_here(reports);
    double here = now() - began;
    size_t different = differences(reports);
    print_table(took, here, different);
    return different ? 1 : 0;
}
