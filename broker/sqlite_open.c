/* sqlite_open.c: opening and closing of the connection, and the registry of stores.
 *
 * `stores` is a mutable global, and justified: SQLite's locks and ours are the process's, so two connections
 * to one file from one process must know of each other; sharing one is the simplest way. It is guarded by its
 * own lock. A forked child finds entries of its parent there and passes over them: the thread that serves
 * them did not come along. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "broker/sqlite_store.h"
#include "common/clock.h"

enum { PATH_LONGEST = 4000 };

static pthread_mutex_t stores_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sqlite_store *stores;

/* ---- the file
 * ---------------------------------------------------------------------------------------------------- */

static int explain_errno(int error, const char **why)
{
    switch (error) {
    case ENOENT:
        *why = "the folder of that file does not exist";
        return UMBEL_BAD_URL;
    case ENOTDIR:
        *why = "a part of the path is not a folder";
        return UMBEL_BAD_URL;
    case EISDIR:
        *why = "the path is a folder, not a file";
        return UMBEL_BAD_URL;
    case EACCES:
    case EPERM:
        *why = "no permission to read and write that file or its folder";
        return UMBEL_BAD_URL;
    default:
        *why = strerrordesc_np(error);
        return UMBEL_SYSTEM;
    }
}

/* Makes the file for its owner's eyes only. An existing one is not opened here: closing it again would drop
 * the locks that SQLite holds on it in this process. */
static int find_file(const char *path, struct stat *about)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST)
        return errno;
    if (fd >= 0)
        close(fd);
    if (stat(path, about))
        return errno;
    if (S_ISDIR(about->st_mode))
        return EISDIR;
    return access(path, R_OK | W_OK) ? errno : 0;
}

/* ---- the registry
 * ------------------------------------------------------------------------------------------------ */

static void store_free(struct sqlite_store *store)
{
    if (store->event >= 0)
        close(store->event);
    for (struct table_node *node = table_next(&store->queues, NULL), *next; node; node = next) {
        next = table_next(&store->queues, node);
        free(node);
    }
    table_fini(&store->queues);
    pthread_mutex_destroy(&store->lock);
    free(store->homes);
    free(store->orphans);
    free(store->path);
    free(store);
}

/* Signals are the process's other threads' affair. */
static int start_thread(struct sqlite_store *store)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, NULL, sqlite_store_thread, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        pthread_detach(thread);
    return error;
}

static struct sqlite_store *store_new(const char *path, const struct stat *about)
{
    struct sqlite_store *store = calloc(1, sizeof *store);
    if (!store)
        return NULL;
    pthread_mutex_init(&store->lock, NULL);
    table_init(&store->queues);
    store->device = about->st_dev;
    store->inode = about->st_ino;
    store->pid = getpid();
    store->wake = (struct sqlite_wake){.folder_fd = -1, .locks = -1, .sock = -1};
    store->path = strdup(path);
    store->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (store->path && store->event >= 0 && start_thread(store) == 0)
        return store;
    store_free(store);
    return NULL;
}

static struct sqlite_store *find_store(const struct stat *about)
{
    pid_t pid = getpid();
    struct sqlite_store *store = stores;
    while (store && !(store->inode == about->st_ino && store->device == about->st_dev && store->pid == pid))
        store = store->next;
    return store;
}

static void add_port(struct sqlite_store *store, struct sqlite_port *port)
{
    store->users++;
    port->store = store;
    pthread_mutex_lock(&store->lock);
    port->next = store->entering;
    store->entering = port;
    pthread_mutex_unlock(&store->lock);
}

/* By its one true name, for the folder beside it is where the processes that use it meet: two that came by
 * different links would take each other for dead. */
static int enter(struct sqlite_port *port, const char *given, const char **why)
{
    struct stat about;
    char path[PATH_MAX];
    int error = find_file(given, &about);
    if (!error && !realpath(given, path))
        error = errno;
    if (error)
        return explain_errno(error, why);
    pthread_mutex_lock(&stores_lock);
    struct sqlite_store *store = find_store(&about);
    if (!store && (store = store_new(path, &about))) {
        store->next = stores;
        stores = store;
    }
    if (store)
        add_port(store, port);
    pthread_mutex_unlock(&stores_lock);
    *why = "out of memory, threads or descriptors";
    if (store)
        sqlite_store_signal(store);
    return store ? UMBEL_OK : UMBEL_SYSTEM;
}

int sqlite_store_enter(struct sqlite_port *port, umbel_str path, const char **why)
{
    char text[PATH_LONGEST + 1];
    *why = "the path is missing or too long: sqlite:PATH";
    if (path.size == 0 || path.size > PATH_LONGEST || memchr(path.data, 0, path.size))
        return UMBEL_BAD_URL;
    memcpy(text, path.data, path.size);
    text[path.size] = 0;
    return enter(port, text, why);
}

/* The connection is closed under the registry's lock: another one to the same file must not be opened before,
 * for closing a file drops all of a process's locks on it. */
bool sqlite_open_release(struct sqlite_store *store)
{
    pthread_mutex_lock(&stores_lock);
    bool last = --store->users == 0;
    if (last) {
        struct sqlite_store **at = &stores;
        while (*at != store)
            at = &(*at)->next;
        *at = store->next;
        sqlite_open_end(store);
    }
    pthread_mutex_unlock(&stores_lock);
    return last;
}

void sqlite_open_free(struct sqlite_store *store)
{
    store_free(store);
}

/* ---- the connection
 * ---------------------------------------------------------------------------------------------- */

static int fail(struct sqlite_store *store, const char *path, const char *why)
{
    snprintf(store->why, sizeof store->why, "%s: %s", path, why);
    sqlite_open_end(store);
    return SQLITE_ERROR;
}

static int prepare(struct sqlite_store *store)
{
    int rc = SQLITE_OK;
    for (int i = 0; i < SQL_COUNT && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v3(store->db, sqlite_sql_text((enum sqlite_sql)i), -1, SQLITE_PREPARE_PERSISTENT,
                                &store->statements[i], NULL);
    return rc;
}

/* Our number, locked before anybody else can see it. */
static int take_number(struct sqlite_store *store, int *error)
{
    int rc = sqlite_store_begin(store, false);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_stmt *add = sqlite_store_sql(store, SQL_OWNER_ADD);
    sqlite3_bind_int64(add, 1, 0);
    rc = sqlite_store_run(add);
    int64_t number = sqlite3_last_insert_rowid(store->db);
    if (rc == SQLITE_OK) {
        sqlite3_stmt *home = sqlite_store_sql(store, SQL_HOME_ADD);
        sqlite3_bind_int64(home, 1, number);
        rc = sqlite_store_run(home);
    }
    if (rc == SQLITE_OK && (*error = sqlite_wake_join(&store->wake, number)))
        rc = SQLITE_CANTOPEN;
    return sqlite_store_end(store, rc);
}

/* The lock is somebody's who does not know the gate, or a checkpoint's. */
static int on_busy(void *self, int times)
{
    struct timespec pause = {0, times < 20 ? 200000 : 2000000};
    nanosleep(&pause, NULL);
    return sqlite_store_patient(self);
}

/* Of two that switch a new file to WAL, SQLite turns one away at once; so one after the other. */
static int prepare_file(struct sqlite_store *store)
{
    sqlite_store_be_patient(store);
    sqlite_gate_enter(&store->wake, sqlite_store_patient, store);
    int rc = sqlite_sql_prepare_file(store->db);
    sqlite_gate_leave(&store->wake);
    return rc;
}

int sqlite_open_file(struct sqlite_store *store)
{
    int error = sqlite_wake_open(&store->wake, store->path);
    if (error)
        return fail(store, store->wake.folder ? store->wake.folder : store->path, strerrordesc_np(error));
    int rc = sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_handler(store->db, on_busy, store);
    if (rc == SQLITE_OK)
        rc = prepare_file(store);
    if (rc == SQLITE_MISMATCH)
        return fail(store, store->path, "the file belongs to another program or version");
    if (rc == SQLITE_OK)
        rc = prepare(store);
    if (rc == SQLITE_OK)
        rc = take_number(store, &error);
    if (error)
        return fail(store, store->wake.folder, strerrordesc_np(error));
    if (rc != SQLITE_OK)
        return fail(store, store->path, store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(rc));
    store->full_sync = true;
    return SQLITE_OK;
}

/* Only a courtesy: whoever looks next finds that our lock is gone. */
static void drop_number(struct sqlite_store *store)
{
    static const enum sqlite_sql steps[] = {SQL_HOME_RETURN, SQL_HOME_FORGET, SQL_HOME_DROP};
    int rc = sqlite_store_begin(store, false);
    if (rc != SQLITE_OK)
        return;
    for (size_t i = 0; i < 3 && rc == SQLITE_OK; i++) {
        sqlite3_stmt *statement = sqlite_store_sql(store, steps[i]);
        sqlite3_bind_int64(statement, 1, store->wake.number);
        rc = sqlite_store_run(statement);
    }
    sqlite_store_end(store, rc);
}

void sqlite_open_end(struct sqlite_store *store)
{
    if (store->db && store->wake.number && store->statements[SQL_COUNT - 1])
        drop_number(store);
    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    sqlite3_close(store->db);
    store->db = NULL;
    sqlite_wake_close(&store->wake);
}
