/* words.c: see words.h. One text per thread: nothing is shared, so nothing is locked and nobody frees it. */
#include "client/words.h"

#include <stdio.h>

static _Thread_local struct {
    const void *about;
    char text[512];
} last;

void words_say(const void *about, const char *text)
{
    last.about = about;
    snprintf(last.text, sizeof last.text, "%s", text);
}

const char *words_about(const void *about)
{
    return last.about == about ? last.text : "";
}

void words_forget(const void *about)
{
    if (last.about == about)
        last.about = NULL;
}
