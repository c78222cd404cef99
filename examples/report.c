/* report.c: digest, lines, words and distinct words of one file, in one pass over a mapping of it. */
#include "report.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The words seen, by hash: open addressing, grown at half full. Two words of one 64-bit hash count as one. */
struct seen {
    uint64_t *slots;
    size_t size, used;
};

static int seen_grow(struct seen *seen);

static int seen_add(struct seen *seen, uint64_t hash)
{
    if (seen->used * 2 >= seen->size && seen_grow(seen))
        return ENOMEM;
    hash |= hash == 0;
    size_t i = hash & (seen->size - 1);
    while (seen->slots[i] && seen->slots[i] != hash)
        i = (i + 1) & (seen->size - 1);
    seen->used += seen->slots[i] == 0;
    seen->slots[i] = hash;
    return 0;
}

static int seen_grow(struct seen *seen)
{
    struct seen bigger = {.size = seen->size ? seen->size * 2 : 1024};
    bigger.slots = calloc(bigger.size, sizeof *bigger.slots);
    if (!bigger.slots)
        return ENOMEM;
    for (size_t i = 0; i < seen->size; i++)
        if (seen->slots[i])
            seen_add(&bigger, seen->slots[i]);
    free(seen->slots);
    *seen = bigger;
    return 0;
}

static int count(struct report *report, const unsigned char *data, size_t size)
{
    const uint64_t start = 0xcbf29ce484222325u, prime = 0x100000001b3u; /* FNV-1a */
    struct seen seen = {0};
    uint64_t hash = start;
    int code = 0;
    for (size_t i = 0; i <= size && !code; i++) {
        unsigned char c = i < size ? data[i] : ' ';
        if (isalnum(c) || c == '_') {
            hash = (hash ^ c) * prime;
            continue;
        }
        report->lines += c == '\n';
        if (hash == start)
            continue;
        report->words++;
        code = seen_add(&seen, hash ^ hash >> 29);
        hash = start;
    }
    report->distinct = seen.used;
    free(seen.slots);
    return code;
}

static int digest(char hex[65], const void *data, size_t size)
{
    unsigned char raw[32];
    if (!EVP_Digest(data, size, raw, NULL, EVP_sha256(), NULL))
        return EIO;
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", raw[i]);
    return 0;
}

static int examine(struct report *report, int fd)
{
    struct stat about;
    if (fstat(fd, &about))
        return errno;
    if (!S_ISREG(about.st_mode))
        return EINVAL;
    size_t size = (size_t)about.st_size;
    report->bytes = size;
    if (size == 0)
        return digest(report->sha256, "", 0);
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return errno;
    int code = digest(report->sha256, data, size);
    if (!code)
        code = count(report, data, size);
    munmap(data, size);
    return code;
}

int report_file(struct report *report, const char *path)
{
    *report = (struct report){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int code = examine(report, fd);
    close(fd);
    return code;
}
