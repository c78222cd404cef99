#include <criterion/criterion.h>
#include <string.h>
#include <umbel/error.h>
#include "worker/node_name.h"

Test(node_name, patterns_are_celerys)
{
    static const struct {
        const char *pattern, *host, *name;
    } rows[] = {
        {"umbel@%h", "box.example.org", "umbel@box.example.org"},
        {"w1@%n", "box.example.org", "w1@box"},
        {"w1@%d", "box.example.org", "w1@example.org"},
        {"w1@%d.", "box", "w1@."},
        {"w1", "box", "w1@box"},
        {"100%%@%h", "box", "100%@box"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[NODE_NAME_MAX];
        cr_assert_eq(node_name_expand(name, rows[i].pattern, rows[i].host), UMBEL_OK, "%s", rows[i].pattern);
        cr_assert_str_eq(name, rows[i].name);
    }
}

Test(node_name, what_could_break_a_queue_name_is_refused)
{
    static const char *const rows[] = {"", "w@%x", "w@%", "a b@%h", "a\n@%h"};
    char name[NODE_NAME_MAX], longer[NODE_NAME_MAX + 1];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_assert_eq(node_name_expand(name, rows[i], "box"), UMBEL_BAD_ARGUMENT, "'%s'", rows[i]);
    memset(longer, 'a', NODE_NAME_MAX);
    longer[NODE_NAME_MAX] = '\0';
    cr_assert_eq(node_name_expand(name, longer, "box"), UMBEL_BAD_ARGUMENT);
    longer[NODE_NAME_MAX - 3] = '\0';
    cr_assert_eq(node_name_expand(name, longer, "box"), UMBEL_BAD_ARGUMENT, "no room for the host");
}
