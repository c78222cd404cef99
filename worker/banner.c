/* banner.c: see banner.h. */
#include "worker/banner.h"

#include "common/url.h"
#include "worker/builtin.h"

static void write_url(struct buffer *out, const char *label, const char *url)
{
    buffer_text(out, label);
    if (url)
        url_safe(out, url);
    else
        buffer_text(out, "not kept (no --result-backend)");
    buffer_byte(out, '\n');
}

static void write_list(struct buffer *out, const struct banner *banner)
{
    buffer_text(out, "\n[queues]\n");
    for (size_t i = 0; i < banner->queue_count; i++)
        buffer_format(out, "  . %s\n", banner->queues[i]);
    buffer_text(out, "\n[tasks]\n");
    for (size_t i = 0; i < registry_count(banner->registry); i++)
        if (!builtin_is(registry_at(banner->registry, i)))
            buffer_format(out, "  . %s\n", registry_at(banner->registry, i)->name);
    buffer_byte(out, '\n');
}

void banner_write(struct buffer *out, const struct banner *banner)
{
    const struct settings *settings = banner->settings;
    buffer_format(out, "\n%s  umbel %s, process %d\n\n", banner->name, UMBEL_VERSION, banner->pid);
    write_url(out, "  broker:      ", banner->broker);
    write_url(out, "  results:     ", banner->backend);
    buffer_format(out, "  concurrency: %d (%s)%s%s\n", banner->concurrency, settings->pool,
                  settings->autoscale[0] ? ", autoscale " : "", settings->autoscale);
    if (settings->time_limit > 0 || settings->soft_time_limit > 0)
        buffer_format(out, "  time limits: %g s, soft %g s (0: none)\n", settings->time_limit,
                      settings->soft_time_limit);
    buffer_format(out, "  stop:        running tasks have %g s\n", settings->stop_timeout);
    write_list(out, banner);
}
