/* sqlite_test.c: what only the file can get wrong: processes that die, files that cannot be used, locks. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "broker/sqlite_queue.h"
#include "common/clock.h"
#include "holder.h"
#include "station.h"
#include "vault.h"

TestSuite(sqlite, .timeout = 60);

static const struct row row = {"sqlite", "sqlite:%", false};

static const char *path_of(const struct place *place)
{
    return place->url + strlen("sqlite:");
}

Test(sqlite, a_confirmed_task_survives_the_death_of_its_sender)
{
    struct place place;
    struct holder sender;
    struct driver driver;
    struct station station;
    place_init(&place, &row);
    cr_assert(holder_send(&sender, place.url, "letters", 0, 50));
    holder_kill(&sender);
    driver_init(&driver);
    station_open(&station, &driver, place.url);
    station.on_arrival = ON_ARRIVAL_ACK;
    station_consume(&station, "letters", 100);
    cr_assert(station_wait(&station, &station.arrived, 50), "%zu arrived", station.arrived);
    station_close(&station);
    driver_fini(&driver);
    place_fini(&place);
}

Test(sqlite, two_processes_that_send_and_take_see_each_message_once)
{
    enum { EACH = 5000 };
    struct place place;
    struct holder traders[2];
    int ends[2];
    static uint8_t seen[2 * EACH];
    place_init(&place, &row);
    cr_assert_eq(pipe(ends), 0);
    for (unsigned i = 0; i < 2; i++)
        cr_assert(holder_trade(&traders[i], place.url, "letters", i * EACH, EACH, ends[1]));
    for (size_t i = 0; i < 2 * EACH; i++) {
        uint32_t id;
        struct pollfd wait = {.fd = ends[0], .events = POLLIN};
        cr_assert_eq(poll(&wait, 1, 20000), 1, "only %zu were seen", i);
        cr_assert_eq(read(ends[0], &id, sizeof id), sizeof id);
        cr_assert_lt(id, 2 * EACH);
        cr_assert_eq(seen[id]++, 0, "%u was seen twice", id);
    }
    struct pollfd more = {.fd = ends[0], .events = POLLIN};
    cr_assert_eq(poll(&more, 1, 0), 0);
    for (unsigned i = 0; i < 2; i++)
        holder_kill(&traders[i]);
    place_fini(&place);
}

/* The slow look alone would take a quarter of a second each time. */
Test(sqlite, an_idle_process_is_woken_at_once)
{
    enum { ROUNDS = 10 };
    struct place place;
    struct holder taker;
    struct driver driver;
    struct station station;
    int ends[2];
    place_init(&place, &row);
    cr_assert_eq(pipe(ends), 0);
    cr_assert(holder_trade(&taker, place.url, "letters", 0, 1, ends[1]));
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    uint32_t id;
    cr_assert_eq(poll(&wait, 1, 10000), 1); /* its own: it consumes */
    cr_assert_eq(read(ends[0], &id, sizeof id), sizeof id);
    driver_init(&driver);
    station_open(&station, &driver, place.url);
    double start = clock_mono();
    for (int i = 0; i < ROUNDS; i++) {
        station_fill(&station, "letters", 1);
        cr_assert_eq(poll(&wait, 1, 10000), 1);
        cr_assert_eq(read(ends[0], &id, sizeof id), sizeof id);
    }
    cr_assert_lt(clock_mono() - start, 1.0, "%d rounds took %.3f s", ROUNDS, clock_mono() - start);
    holder_kill(&taker);
    station_close(&station);
    driver_fini(&driver);
    place_fini(&place);
}

Test(sqlite, what_a_killed_process_held_comes_back_within_two_seconds)
{
    struct place place;
    struct holder holder;
    struct driver driver;
    struct station station;
    place_init(&place, &row);
    cr_assert(holder_start(&holder, place.url, "letters", 100));
    driver_init(&driver);
    station_open(&station, &driver, place.url);
    station_fill(&station, "letters", 100);
    cr_assert(holder_holds(&holder));
    station_consume(&station, "letters", 100);
    holder_kill(&holder);
    cr_assert(driver_wait(&driver, &station.arrived, 100, 2.0), "%zu came back", station.arrived);
    station_close(&station);
    driver_fini(&driver);
    place_fini(&place);
}

/* SQLite follows the link; our locks must too, or each process takes the other for dead. */
Test(sqlite, a_process_that_comes_by_a_link_is_no_stranger)
{
    struct place place;
    struct holder holder;
    struct driver driver;
    struct station station;
    char link[400], url[420];
    place_init(&place, &row);
    snprintf(link, sizeof link, "%s-link", path_of(&place));
    snprintf(url, sizeof url, "sqlite:%s", link);
    cr_assert_eq(symlink(path_of(&place), link), 0);
    cr_assert(holder_start(&holder, place.url, "letters", 10));
    driver_init(&driver);
    station_open(&station, &driver, url);
    station_fill(&station, "letters", 10);
    cr_assert(holder_holds(&holder));
    station_consume(&station, "letters", 100);
    cr_assert_not(driver_wait(&driver, &station.arrived, 1, 1.5),
                  "what a live process holds was taken from it");
    holder_kill(&holder);
    cr_assert(driver_wait(&driver, &station.arrived, 10, 2.0), "%zu came back", station.arrived);
    station_close(&station);
    unlink(link);
    driver_fini(&driver);
    place_fini(&place);
}

/* ---- opening
 * ----------------------------------------------------------------------------------------------------- */

static int try_open(const char *url, char why[512])
{
    struct driver driver;
    struct station station;
    struct buffer text;
    driver_init(&driver);
    buffer_init(&text, 4096);
    int code = station_try(&station, &driver, url, &text);
    snprintf(why, 512, "%.*s", (int)buffer_length(&text), (char *)buffer_head(&text));
    if (code == UMBEL_OK)
        station_close(&station);
    buffer_fini(&text);
    driver_fini(&driver);
    return code;
}

Test(sqlite, a_missing_folder_is_a_bad_url_that_says_so)
{
    char why[512];
    cr_assert_eq(try_open("sqlite:/no-such-folder/tasks.db", why), UMBEL_BAD_URL);
    cr_assert_not_null(strstr(why, "folder"), "%s", why);
    cr_assert_not_null(strstr(why, "/no-such-folder/tasks.db"), "%s", why);
}

Test(sqlite, a_folder_or_nothing_is_a_bad_url)
{
    char why[512];
    cr_assert_eq(try_open("sqlite:/tmp", why), UMBEL_BAD_URL);
    cr_assert_eq(try_open("sqlite:", why), UMBEL_BAD_URL);
}

Test(sqlite, a_new_file_is_for_its_owner_only)
{
    struct place place;
    struct stat about;
    char why[512];
    place_init(&place, &row);
    cr_assert_eq(try_open(place.url, why), UMBEL_OK);
    cr_assert_eq(stat(path_of(&place), &about), 0);
    cr_assert_eq(about.st_mode & 0777, 0600);
    place_fini(&place);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static void fails_with(struct place *place, const char *part)
{
    struct driver driver;
    struct station station;
    struct buffer why;
    driver_init(&driver);
    buffer_init(&why, 4096);
    cr_assert_eq(station_try(&station, &driver, place->url, &why), UMBEL_OK);
    cr_assert(station_wait(&station, &station.failed, 1));
    cr_assert_not_null(strstr(station.fail_why, part), "%s", station.fail_why);
    cr_assert_not_null(strstr(station.fail_why, path_of(place)), "%s", station.fail_why);
    struct message msg = letter("letters", "1", (umbel_str){"", 0});
    cr_assert_eq(station.transport->ops->publish(station.transport, &msg, 0, 0, 1), UMBEL_BROKER_AWAY);
    station_close(&station);
    buffer_fini(&why);
    driver_fini(&driver);
}

Test(sqlite, a_file_that_is_no_database_fails_and_names_it)
{
    struct place place;
    place_init(&place, &row);
    char text[4097];
    memset(text, 'x', 4096);
    text[4096] = 0;
    write_file(path_of(&place), text);
    fails_with(&place, "not a database");
    place_fini(&place);
}

Test(sqlite, the_database_of_another_program_is_left_alone)
{
    struct place place;
    sqlite3 *db;
    place_init(&place, &row);
    cr_assert_eq(sqlite3_open(path_of(&place), &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "CREATE TABLE theirs(x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    fails_with(&place, "another program");
    place_fini(&place);
}

Test(sqlite, a_path_too_long_for_a_socket_works_all_the_same)
{
    struct place place;
    struct driver driver;
    struct station station, other;
    place_init(&place, &row);
    char folder[256], url[512];
    snprintf(folder, sizeof folder, "%s/%0150d", place.folder, 7);
    cr_assert_eq(mkdir(folder, 0700), 0);
    snprintf(url, sizeof url, "sqlite:%s/tasks.db", folder);
    driver_init(&driver);
    station_open(&station, &driver, url);
    station_open(&other, &driver, url);
    other.on_arrival = ON_ARRIVAL_ACK;
    station_consume(&other, "letters", 5);
    station_fill(&station, "letters", 20);
    cr_assert(station_wait(&other, &other.arrived, 20));
    station_close(&other);
    station_close(&station);
    driver_fini(&driver);
    place_fini(&place);
}

/* ---- trouble while it runs
 * --------------------------------------------------------------------------------------- */

Test(sqlite, a_file_that_stays_locked_refuses_and_works_again_later)
{
    struct place place;
    struct driver driver;
    struct station station;
    struct vault vault;
    sqlite3 *db;
    char map[512];
    place_init(&place, &row);
    driver_init(&driver);
    station_open(&station, &driver, place.url);
    vault_open(&vault, &driver, &place, 60);
    cr_assert_eq(sqlite3_open(path_of(&place), &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct message msg = letter("letters", "1", (umbel_str){"", 0});
    station_send(&station, &msg, 0, PUBLISH_CREATE_QUEUE, 1);
    vault_put(&vault, "1", result_map(map, "1", "SUCCESS", 1), true, "", 1);
    cr_assert(driver_wait(&driver, &station.published, 1, 20));
    cr_assert_eq(station.answers[0].code, UMBEL_REFUSED);
    cr_assert(driver_wait(&driver, &vault.stored, 1, 20));
    cr_assert_eq(vault.stores[0].code, UMBEL_BACKEND_REFUSED);
    cr_assert_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    station_fill(&station, "letters", 1);
    cr_assert_eq(vault_store(&vault, "1", "SUCCESS", 2), UMBEL_OK);
    cr_assert_eq(station_count(&station, "letters"), 1);
    vault_close(&vault);
    station_close(&station);
    driver_fini(&driver);
    place_fini(&place);
}

Test(sqlite, close_ends_by_its_grace_even_when_the_file_is_locked)
{
    struct place place;
    struct driver driver;
    struct station station;
    sqlite3 *db;
    place_init(&place, &row);
    driver_init(&driver);
    station_open(&station, &driver, place.url);
    cr_assert_eq(sqlite3_open(path_of(&place), &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct message msg = letter("letters", "1", (umbel_str){"", 0});
    station_send(&station, &msg, 0, PUBLISH_CREATE_QUEUE, 1);
    double start = clock_mono();
    station_shut(&station, 0.3);
    cr_assert_lt(clock_mono() - start, 0.8);
    cr_assert_eq(station.published, 1);
    cr_assert(station.answers[0].code == UMBEL_REFUSED || station.answers[0].code == UMBEL_BROKER_AWAY);
    sqlite3_close(db);
    station_close(&station);
    driver_fini(&driver);
    place_fini(&place);
}

/* A limit of file size stands in for a full disk. */
Test(sqlite, a_full_disk_refuses_and_what_was_settled_stays_settled)
{
    struct place place;
    struct driver driver;
    struct station station;
    struct rlimit before, full;
    static char large[1 << 20];
    place_init(&place, &row);
    driver_init(&driver);
    station_open(&station, &driver, place.url);
    station_fill(&station, "letters", 2);
    station_consume(&station, "letters", 2);
    cr_assert(station_wait(&station, &station.arrived, 2));

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    full = before;
    full.rlim_cur = 512 * 1024;
    setrlimit(RLIMIT_FSIZE, &full);
    struct message msg = letter("parcels", "3", (umbel_str){large, sizeof large});
    station_settle(&station, 0, SETTLE_ACK);
    station_send(&station, &msg, 0, PUBLISH_CREATE_QUEUE, 1); /* in the same transaction, which fails */
    cr_assert(station_wait(&station, &station.published, 3));
    cr_assert_eq(station.answers[2].code, UMBEL_REFUSED);
    setrlimit(RLIMIT_FSIZE, &before);

    station_fill(&station, "letters", 2);
    cr_assert(station_wait(&station, &station.arrived, 3)); /* so there was room: the first was settled */
    cr_assert_eq(station_count(&station, "letters"), 1);    /* but room for one only */
    cr_assert_eq(station.arrived, 3);
    station_close(&station);
    driver_fini(&driver);
    place_fini(&place);
}

/* ---- tidying
 * ----------------------------------------------------------------------------------------------------- */

static int count_rows(const struct place *place, const char *question)
{
    sqlite3 *db;
    sqlite3_stmt *count;
    cr_assert_eq(sqlite3_open_v2(path_of(place), &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, question, -1, &count, NULL), SQLITE_OK);
    int rows = sqlite3_step(count) == SQLITE_ROW ? sqlite3_column_int(count, 0) : -1;
    sqlite3_finalize(count);
    sqlite3_close(db);
    return rows;
}

Test(sqlite, start_marks_and_revocations_expire_without_any_result)
{
    struct place place;
    struct driver driver;
    struct vault vault;
    int rows = 2;
    place_init(&place, &row);
    driver_init(&driver);
    vault_open(&vault, &driver, &place, 0.3);
    vault_begin(&vault, "a-task");
    vault_revoke(&vault, "a-task", clock_now() + 0.3);
    for (double end = clock_mono() + 10; rows && clock_mono() < end;) {
        vault_find(&vault, "a-task");
        rows = count_rows(&place, "SELECT (SELECT count(*) FROM marks) + (SELECT count(*) FROM revoked)");
    }
    cr_assert_eq(rows, 0);
    vault_close(&vault);
    driver_fini(&driver);
    place_fini(&place);
}

/* ---- deciding
 * ---------------------------------------------------------------------------------------------------- */

Test(sqlite, a_consumer_takes_its_share_of_a_burst)
{
    cr_assert_eq(sqlite_queues_share(100, 128, 1), 100);
    cr_assert_eq(sqlite_queues_share(100, 128, 2), 50);
    cr_assert_eq(sqlite_queues_share(1, 128, 2), 1);
    cr_assert_eq(sqlite_queues_share(0, 128, 2), 0);
    cr_assert_eq(sqlite_queues_share(1000, 128, 2), 128);
    cr_assert_eq(sqlite_queues_share(3, 1, 2), 1);
}
