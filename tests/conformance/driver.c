/* driver.c: see driver.h. */
#include "driver.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/uuid.h"

/* There only under the address sanitizer. Criterion does not see a leak by itself. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

void driver_init(struct driver *driver)
{
    cr_assert_eq(loop_init(&driver->loop), 0);
    uv_timer_init(&driver->loop.uv, &driver->deadline);
    driver->deadline.data = driver;
}

void driver_fini(struct driver *driver)
{
    uv_close((uv_handle_t *)&driver->deadline, NULL);
    loop_fini(&driver->loop);
    if (__lsan_do_recoverable_leak_check)
        cr_assert_eq(__lsan_do_recoverable_leak_check(), 0, "memory was lost");
}

static void on_deadline(uv_timer_t *timer)
{
    struct driver *driver = timer->data;
    driver->late = true;
}

bool driver_wait(struct driver *driver, const size_t *counter, size_t wanted, double seconds)
{
    driver->late = false;
    uv_update_time(&driver->loop.uv);
    uv_timer_start(&driver->deadline, on_deadline, (uint64_t)(seconds * 1000), 0);
    while (*counter < wanted && !driver->late)
        uv_run(&driver->loop.uv, UV_RUN_ONCE);
    uv_timer_stop(&driver->deadline);
    return *counter >= wanted;
}

/* ---- rows
 * -------------------------------------------------------------------------------------------------------- */

static bool add_server(struct row *rows, size_t *count, const char *name, const char *variable)
{
    const char *url = getenv(variable);
    if (!url || !*url)
        return false;
    struct row *row = &rows[(*count)++];
    snprintf(row->name, sizeof row->name, "%s", name);
    snprintf(row->url, sizeof row->url, "%s", url);
    return true;
}

static struct row *fill_rows(struct row rows[3], size_t *count, bool *said, const char *server,
                             const char *variable)
{
    rows[0] = (struct row){"memory", "memory://%", true};
    rows[1] = (struct row){"sqlite", "sqlite:%", false};
    *count = 2;
    if (!add_server(rows, count, server, variable) && !*said) {
        printf("conformance: %s is left out, for %s is not set\n", server, variable);
        fflush(stdout);
    }
    *said = true;
    return rows;
}

struct row *transport_rows(size_t *count)
{
    static struct row rows[3];
    static bool said;
    return fill_rows(rows, count, &said, "amqp", "UMBEL_TEST_AMQP");
}

struct row *backend_rows(size_t *count)
{
    static struct row rows[3];
    static bool said;
    return fill_rows(rows, count, &said, "redis", "UMBEL_TEST_REDIS");
}

/* ---- a place of its own
 * ------------------------------------------------------------------------------------------ */

void place_init(struct place *place, const struct row *row)
{
    uuid_make(place->name);
    const char *temporary = getenv("TMPDIR");
    snprintf(place->folder, sizeof place->folder, "%s/umbel-conformance-XXXXXX",
             temporary ? temporary : "/tmp");
    cr_assert_not_null(mkdtemp(place->folder));
    const char *percent = strchr(row->url, '%');
    if (!percent ||
        row->url[percent - row->url + 1]) /* a server's URL may hold escapes, but none at its end */
        snprintf(place->url, sizeof place->url, "%s", row->url);
    else if (row->in_memory)
        snprintf(place->url, sizeof place->url, "memory://%s", place->name);
    else
        snprintf(place->url, sizeof place->url, "sqlite:%s/tasks.db", place->folder);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about, (void)kind, (void)place;
    return remove(path);
}

void place_fini(struct place *place)
{
    nftw(place->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
