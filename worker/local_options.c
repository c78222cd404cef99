/* local_options.c: see local_options.h. An option that is not known is a mistake worth a sentence: a typo in
 * `concurrency` would otherwise be found by a profiler. */
#include "worker/local_options.h"

#include <string.h>
#include <umbel/error.h>
#include "common/str.h"

enum { CONCURRENCY_MAX = 1024 };

static const struct pool_name {
    const char *said, *pool;
    bool in_process;
} pool_names[] = {
    {"threads", "threads", true},
    {"processes", "prefork", false},
    {"coroutines", "coroutines", true},
    {"solo", "solo", true},
};

static int read_pool(struct local_plan *plan, umbel_str value, struct buffer *why)
{
    for (size_t i = 0; i < sizeof pool_names / sizeof *pool_names; i++) {
        if (!str_equal(value, str_of(pool_names[i].said)))
            continue;
        plan->pool = pool_names[i].pool;
        plan->in_process = pool_names[i].in_process;
        return UMBEL_OK;
    }
    buffer_format(why, "there is no pool '%.40s'; there are threads, processes, coroutines and solo",
                  value.data);
    return UMBEL_BAD_URL;
}

static int read_number(umbel_str name, umbel_str value, int64_t least, int64_t most, int64_t *out,
                       struct buffer *why)
{
    int64_t number = 0;
    bool fits = value.size > 0 && value.size < 16;
    for (size_t i = 0; i < value.size && fits; i++) {
        fits = value.data[i] >= '0' && value.data[i] <= '9';
        number = number * 10 + (value.data[i] - '0');
    }
    if (fits && number >= least && number <= most) {
        *out = number;
        return UMBEL_OK;
    }
    buffer_format(why, "%.40s=%.40s: it takes a number from %lld to %lld", name.data, value.data,
                  (long long)least, (long long)most);
    return UMBEL_BAD_URL;
}

static int read_option(struct local_plan *plan, const struct url_option *option, struct buffer *why)
{
    int64_t number = 0;
    int code = UMBEL_OK;
    if (str_equal(option->name, STR("pool")))
        return read_pool(plan, option->value, why);
    if (str_equal(option->name, STR("concurrency"))) {
        code = read_number(option->name, option->value, 1, CONCURRENCY_MAX, &number, why);
        plan->concurrency = (int)number;
    } else if (str_equal(option->name, STR("max_tasks_per_child"))) {
        code = read_number(option->name, option->value, 0, INT64_C(1) << 40, &number, why);
        plan->max_tasks_per_child = (uint64_t)number;
    } else if (str_equal(option->name, STR("max_memory_per_child"))) {
        code = read_number(option->name, option->value, 0, INT64_C(1) << 40, &number, why);
        plan->max_memory_per_child = (size_t)number * 1024;
    } else {
        buffer_format(why,
                      "there is no option '%.40s'; there are pool, concurrency, max_tasks_per_child and "
                      "max_memory_per_child (KiB)",
                      option->name.data);
        code = UMBEL_BAD_URL;
    }
    return code;
}

int local_plan_read(struct local_plan *plan, const struct url *url, int processors, struct buffer *why)
{
    *plan = (struct local_plan){.concurrency = processors > 0 ? processors : 1};
    int code = UMBEL_OK;
    for (size_t i = 0; i < url->option_count && code == UMBEL_OK; i++)
        code = read_option(plan, &url->options[i], why);
    if (code == UMBEL_OK && !plan->pool) {
        buffer_text(why, "the URL names no pool");
        code = UMBEL_BAD_URL;
    }
    if (code == UMBEL_OK && strcmp(plan->pool, "solo") == 0)
        plan->concurrency = 1;
    return code;
}
