/* Not for -A but for LD_PRELOAD: the name server of one domain never answers. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    __typeof__(getaddrinfo) *real = (__typeof__(getaddrinfo) *)dlsym(RTLD_NEXT, "getaddrinfo");
    if (!node || !strstr(node, "silent.example"))
        return real(node, service, hints, out);
    sleep(30);
    return EAI_AGAIN;
}
