/* registry_test.c: what is a module of tasks, and what is not. */
#include <criterion/criterion.h>
#include <string.h>
#include "common/str.h"
#include "worker/registry.h"

static void run(umbel_task *task)
{
    (void)task;
}

#define TASK(task_name)                                                                                      \
    {                                                                                                        \
        sizeof(umbel_task_def), (task_name), run,                                                            \
        {                                                                                                    \
            .max_retries = 7                                                                                 \
        }                                                                                                    \
    }
static const umbel_task_def defs[] = {TASK("b.second"), TASK("a.first"), TASK("c"), TASK("b")};
static const umbel_task_def *const rows[] = {&defs[0], &defs[1], &defs[2], &defs[3]};

static umbel_module_table table_of(const umbel_task_def *const *begin, const umbel_task_def *const *end)
{
    return (umbel_module_table){UMBEL_MODULE_MAGIC, UMBEL_ABI, UMBEL_VERSION, begin, end, NULL, NULL};
}

static int add(struct registry *registry, const umbel_module_table *table, char text[256])
{
    struct buffer why;
    buffer_init(&why, 1000);
    int code = registry_add(registry, table, "x.so", &why);
    size_t size = buffer_length(&why) < 255 ? buffer_length(&why) : 255;
    if (size)
        memcpy(text, buffer_head(&why), size);
    text[size] = '\0';
    buffer_fini(&why);
    return code;
}

Test(registry, tasks_are_found_by_name_and_listed_in_order)
{
    struct registry *registry = registry_new();
    umbel_module_table table = table_of(rows, rows + 4);
    char why[256];
    static const char *const sorted[] = {"a.first", "b", "b.second", "c"};
    cr_assert_eq(add(registry, &table, why), UMBEL_OK);
    cr_assert_eq(registry_count(registry), 4);
    for (size_t i = 0; i < 4; i++) {
        const umbel_task_def *def = registry_find(registry, str_of(sorted[i]));
        cr_assert_str_eq(registry_at(registry, i)->name, sorted[i]);
        cr_assert(def == registry_at(registry, i));
        cr_assert_eq(registry_index(registry, def), i);
        cr_assert_eq(def->options.max_retries, 7);
    }
    cr_assert_null(registry_find(registry, STR("b.")));
    cr_assert_null(registry_find(registry, STR("zz")));
    cr_assert_null(registry_find(registry, STR_NONE));
    cr_assert_null(registry_at(registry, 4));
    registry_free(registry);
}

Test(registry, two_tasks_of_one_name_are_a_conflict)
{
    struct registry *registry = registry_new();
    umbel_module_table table = table_of(rows, rows + 1);
    char why[256];
    cr_assert_eq(add(registry, &table, why), UMBEL_OK);
    cr_assert_eq(add(registry, &table, why), UMBEL_CONFLICT);
    cr_assert_str_eq(why, "x.so defines the task b.second, which is already registered");
    registry_free(registry);
}

Test(registry, a_definition_of_an_older_and_shorter_module_is_completed)
{
    struct registry *registry = registry_new();
    umbel_task_def old = defs[0];
    const umbel_task_def *const row = &old;
    char why[256];
    old.size = offsetof(umbel_task_def, options) + offsetof(umbel_task_options, max_retries);
    umbel_module_table table = table_of(&row, &row + 1);
    cr_assert_eq(add(registry, &table, why), UMBEL_OK);
    cr_assert_eq(registry_at(registry, 0)->options.max_retries, 0);
    registry_free(registry);
}

Test(registry, what_is_no_module_is_refused_in_one_sentence)
{
    umbel_task_def bad[] = {defs[0], defs[0], defs[0]};
    char long_name[300];
    memset(long_name, 'x', sizeof long_name);
    long_name[299] = '\0';
    bad[0].name = "";
    bad[1].run = NULL;
    bad[2].name = long_name;
    for (size_t i = 0; i < 5; i++) {
        struct registry *registry = registry_new();
        const umbel_task_def *const row = i < 3 ? &bad[i] : &defs[0];
        umbel_module_table table = table_of(&row, &row + 1);
        char why[256];
        if (i == 3)
            table.magic++;
        if (i == 4)
            table.abi++;
        cr_assert_eq(add(registry, &table, why), UMBEL_BAD_MODULE, "row %zu", i);
        cr_assert(strncmp(why, "x.so ", 5) == 0 && strlen(why) > 20, "%s", why);
        registry_free(registry);
    }
}

Test(registry, a_file_that_is_no_library_is_refused_in_one_sentence)
{
    struct registry *registry = registry_new();
    struct buffer why;
    buffer_init(&why, 1000);
    cr_assert_eq(registry_load(registry, "/proc/self/status", &why), UMBEL_BAD_MODULE);
    buffer_byte(&why, 0);
    cr_assert(strstr((char *)buffer_head(&why), "/proc/self/status cannot be loaded"));
    buffer_clear(&why);
    cr_assert_eq(registry_load(registry, "libm.so.6", &why), UMBEL_BAD_MODULE);
    buffer_byte(&why, 0);
    cr_assert(strstr((char *)buffer_head(&why), "libm.so.6 is not a module of tasks"));
    buffer_fini(&why);
    registry_free(registry);
}

/* ---- hooks ---- */

static char trace[64];

static int start_a(void **user, char why[200])
{
    (void)why;
    *user = trace;
    strcat(trace, "A");
    return 0;
}
static void end_a(void *user)
{
    strcat(trace, user == trace ? "a" : "?");
}
static int start_b(void **user, char why[200])
{
    (void)user;
    (void)why;
    strcat(trace, "B");
    return 0;
}
static void end_b(void *user)
{
    (void)user;
    strcat(trace, "b");
}
static int start_c(void **user, char why[200])
{
    (void)user;
    strcpy(why, "no luck");
    strcat(trace, "C");
    return 1;
}

Test(registry, hooks_run_in_order_and_end_in_reverse)
{
    static const umbel_child_hooks all[] = {
        {start_a, end_a}, {start_b, end_b}, {NULL, NULL}, {start_c, NULL}};
    static const umbel_child_hooks *const refs[] = {&all[0], &all[1], &all[2], &all[3]};
    char text[256], why[200];
    void *user = NULL;
    for (size_t count = 3; count <= 4; count++) {
        struct registry *registry = registry_new();
        umbel_module_table table = table_of(NULL, NULL);
        table.hooks_begin = refs;
        table.hooks_end = refs + count;
        trace[0] = '\0';
        cr_assert_eq(add(registry, &table, text), UMBEL_OK);
        cr_assert_eq(registry_child_start(registry, &user, why) == 0, count == 3);
        if (count == 3) {
            registry_child_end(registry, user);
            cr_assert_str_eq(trace, "ABba");
        } else {
            cr_assert_str_eq(why, "no luck");
            cr_assert_str_eq(trace, "ABCba", "those that had started are ended");
        }
        registry_free(registry);
    }
}
