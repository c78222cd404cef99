/* node_name.c: see node_name.h. */
#include "worker/node_name.h"

#include <string.h>
#include <umbel/error.h>

static int append(char *out, size_t *length, const char *text, size_t size)
{
    if (*length + size >= NODE_NAME_MAX)
        return UMBEL_BAD_ARGUMENT;
    memcpy(out + *length, text, size);
    *length += size;
    out[*length] = '\0';
    return UMBEL_OK;
}

static int append_field(char *out, size_t *length, char field, const char *host)
{
    size_t first = strcspn(host, ".");
    switch (field) {
    case 'h':
        return append(out, length, host, strlen(host));
    case 'n':
        return append(out, length, host, first);
    case 'd':
        return host[first] ? append(out, length, host + first + 1, strlen(host + first + 1)) : UMBEL_OK;
    case '%':
        return append(out, length, "%", 1);
    default:
        return UMBEL_BAD_ARGUMENT;
    }
}

int node_name_expand(char out[NODE_NAME_MAX], const char *pattern, const char *host)
{
    size_t length = 0;
    int code = UMBEL_OK;
    out[0] = '\0';
    for (const char *p = pattern; code == UMBEL_OK && *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            code = UMBEL_BAD_ARGUMENT;
        else if (*p == '%')
            code = append_field(out, &length, *++p, host);
        else
            code = append(out, &length, p, 1);
    }
    if (code == UMBEL_OK && !strchr(out, '@'))
        code = append(out, &length, "@", 1) == UMBEL_OK ? append(out, &length, host, strlen(host))
                                                        : UMBEL_BAD_ARGUMENT;
    return code == UMBEL_OK && length && out[0] != '@' ? UMBEL_OK : UMBEL_BAD_ARGUMENT;
}
