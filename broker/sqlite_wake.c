/* sqlite_wake.c: see sqlite_wake.h. */
#include "broker/sqlite_wake.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Places in `locks` that no process's number reaches. */
static const off_t gate = (off_t)1 << 50, turnstile = ((off_t)1 << 50) + 1;

int sqlite_wake_open(struct sqlite_wake *wake, const char *path)
{
    *wake = (struct sqlite_wake){.folder_fd = -1, .locks = -1, .sock = -1};
    if (asprintf(&wake->folder, "%s-wake", path) < 0) {
        wake->folder = NULL;
        return ENOMEM;
    }
    if (mkdir(wake->folder, 0700) && errno != EEXIST)
        return errno;
    wake->folder_fd = open(wake->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (wake->folder_fd < 0)
        return errno;
    wake->locks = openat(wake->folder_fd, "locks", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return wake->locks < 0 ? errno : 0;
}

static bool set_lock(const struct sqlite_wake *wake, short type, off_t place)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = place, .l_len = 1};
    return fcntl(wake->locks, F_SETLK, &lock) == 0;
}

/* A socket's path has 107 bytes at most; the detour over our own descriptor is short whatever the folder is
 * called. */
static socklen_t address_of(const struct sqlite_wake *wake, int64_t number, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t room = sizeof address->sun_path;
    int size = snprintf(address->sun_path, room, "%s/%lld", wake->folder, (long long)number);
    if (size < 0 || (size_t)size >= room)
        size = snprintf(address->sun_path, room, "/proc/self/fd/%d/%lld", wake->folder_fd, (long long)number);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)size + 1);
}

int sqlite_wake_join(struct sqlite_wake *wake, int64_t number)
{
    if (!set_lock(wake, F_WRLCK, number))
        return errno;
    wake->number = number;
    wake->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wake->sock < 0)
        return errno;
    struct sockaddr_un address;
    socklen_t size = address_of(wake, number, &address);
    sqlite_wake_bury(wake, number); /* left by another life of this number, before the file was restored */
    return bind(wake->sock, (struct sockaddr *)&address, size) ? errno : 0;
}

void sqlite_wake_close(struct sqlite_wake *wake)
{
    if (wake->number)
        sqlite_wake_bury(wake, wake->number);
    if (wake->sock >= 0)
        close(wake->sock);
    if (wake->locks >= 0)
        close(wake->locks);
    if (wake->folder_fd >= 0)
        close(wake->folder_fd);
    free(wake->folder);
    *wake = (struct sqlite_wake){.folder_fd = -1, .locks = -1, .sock = -1};
}

bool sqlite_wake_lives(const struct sqlite_wake *wake, int64_t number)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = number, .l_len = 1};
    return fcntl(wake->locks, F_GETLK, &lock) || lock.l_type != F_UNLCK;
}

void sqlite_wake_bury(const struct sqlite_wake *wake, int64_t number)
{
    char name[24];
    snprintf(name, sizeof name, "%lld", (long long)number);
    unlinkat(wake->folder_fd, name, 0);
}

/* A full receiver has been told already. */
bool sqlite_wake_send(const struct sqlite_wake *wake, int64_t number)
{
    struct sockaddr_un address;
    socklen_t size = address_of(wake, number, &address);
    ssize_t sent = sendto(wake->sock, "!", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    return sent >= 0 || errno == EAGAIN || errno == EWOULDBLOCK;
}

bool sqlite_wake_drain(const struct sqlite_wake *wake)
{
    char byte;
    bool any = false;
    while (wake->sock >= 0 && recv(wake->sock, &byte, 1, MSG_DONTWAIT) >= 0)
        any = true;
    return any;
}

/* ---- the gate
 * ---------------------------------------------------------------------------------------------------- */

static bool lock_while(const struct sqlite_wake *wake, off_t place, bool (*patient)(void *self), void *self)
{
    struct timespec pause = {0, 20000};
    while (!set_lock(wake, F_WRLCK, place)) {
        if (!patient(self))
            return false;
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 500000)
            pause.tv_nsec += pause.tv_nsec / 2;
    }
    return true;
}

/* Who waits for the gate stands in the turnstile; so who just left the gate cannot be back before him. */
void sqlite_gate_enter(const struct sqlite_wake *wake, bool (*patient)(void *self), void *self)
{
    bool turned = lock_while(wake, turnstile, patient, self);
    lock_while(wake, gate, patient, self);
    if (turned)
        set_lock(wake, F_UNLCK, turnstile);
}

void sqlite_gate_leave(const struct sqlite_wake *wake)
{
    set_lock(wake, F_UNLCK, gate);
}
