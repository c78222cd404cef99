/* parts_tasks.c: a result in parts: the words of a text, each as soon as it is found.
 *
 *     cc -shared -fPIC -o parts.so parts_tasks.c && umbel -A ./parts.so worker
 */
#include <stdio.h>
#include <string.h>
#include <umbel.h>

UMBEL_TASK(words, "text.words")
{
    const char *text;
    char word[64];
    int64_t count = 0;
    if (umbel_args(task, &text))
        return;
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        size_t size = strcspn(text, " ");
        snprintf(word, sizeof word, "%.*s", (int)size, text);
        if (umbel_yield(task, word) || umbel_sleep(task, 0.05)) /* it may be a long text */
            return;
        text += size;
        count++;
    }
    umbel_return(task, count);
}
