/* child_copy.c: set in every copy by pthread_atfork, which has no argument to put this into. */
#include "worker/child_copy.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_copy;

static void mark_copy(void)
{
    is_copy = true;
}

void copy_watch(void)
{
    pthread_atfork(NULL, NULL, mark_copy);
}

bool copy_here(void)
{
    return is_copy;
}

void copy_end(void)
{
    if (is_copy)
        _exit(EXIT_SUCCESS);
}
