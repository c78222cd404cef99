/* uuid.c: the kernel's randomness, fetched for many ids at once.
 *
 * Each thread keeps a handful of random bytes, so that an id costs no lock and one in a hundred a system
 * call. A forked child would go on with its parent's handful and make the same ids: it throws it away. Only
 * the thread that forks lives on in the child, and the handler runs on it, so its own handful is all there is
 * to throw away. */
#include "common/uuid.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/clock.h"

enum { ID_BYTES = 16, HANDFUL = 128 * ID_BYTES };

static _Thread_local struct {
    size_t left;
    uint8_t bytes[HANDFUL];
} handful;

static void forget_handful(void)
{
    handful.left = 0;
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_handful);
}

/* Where the kernel gives nothing (a strict sandbox): ids that are still distinct, though they can be guessed.
 */
static void fill_from_clock(uint8_t *to, size_t size)
{
    uint64_t state = clock_mono_ns() ^ ((uint64_t)getpid() << 32) ^ (uint64_t)(uintptr_t)&handful;
    for (size_t i = 0; i + sizeof state <= size; i += sizeof state) {
        state += 0x9E3779B97F4A7C15u; /* splitmix64 */
        uint64_t mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
        mixed ^= mixed >> 31;
        memcpy(to + i, &mixed, sizeof mixed);
    }
}

static const uint8_t *next_bytes(void)
{
    if (handful.left == 0) {
        if (getrandom(handful.bytes, HANDFUL, 0) != HANDFUL)
            fill_from_clock(handful.bytes, HANDFUL);
        handful.left = HANDFUL;
    }
    handful.left -= ID_BYTES;
    return handful.bytes + handful.left;
}

void uuid_make(char out[UUID_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t id[ID_BYTES];
    memcpy(id, next_bytes(), ID_BYTES);
    id[6] = (uint8_t)((id[6] & 0x0F) | 0x40); /* version 4 */
    id[8] = (uint8_t)((id[8] & 0x3F) | 0x80); /* the RFC's variant */
    for (size_t i = 0; i < ID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[id[i] >> 4];
        *out++ = hex[id[i] & 0x0F];
    }
    *out = '\0';
}
