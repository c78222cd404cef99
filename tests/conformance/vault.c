/* vault.c: see vault.h. */
#include "vault.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include "common/str.h"

static struct vault_answer *add(struct vault_answer **list, size_t *count)
{
    if ((*count & (*count - 1)) == 0) {
        *list = realloc(*list, (*count ? *count * 2 : 1) * sizeof **list);
        cr_assert_not_null(*list);
    }
    struct vault_answer *answer = &(*list)[(*count)++];
    *answer = (struct vault_answer){0};
    return answer;
}

static void keep(struct vault_answer *answer, umbel_str payload)
{
    answer->payload = malloc(payload.size + 1);
    cr_assert_not_null(answer->payload);
    if (payload.size)
        memcpy(answer->payload, payload.data, payload.size);
    answer->payload[payload.size] = 0;
    answer->size = payload.size;
}

static void note(struct vault *vault)
{
    vault->unasked += vault->inside;
}

static void on_state(void *self, enum backend_state state, int code, const char *why)
{
    struct vault *vault = self;
    (void)code;
    note(vault);
    vault->up += state == BACKEND_UP;
    vault->failed += state == BACKEND_FAILED;
    if (state == BACKEND_FAILED)
        snprintf(vault->fail_why, sizeof vault->fail_why, "%s", why ? why : "");
}

static void on_stored(void *self, uint64_t token, int code, const char *why)
{
    struct vault *vault = self;
    (void)why;
    note(vault);
    struct vault_answer *answer = add(&vault->stores, &vault->stored);
    answer->token = token;
    answer->code = code;
}

static void on_found(void *self, uint64_t token, int code, umbel_str id, umbel_str payload)
{
    struct vault *vault = self;
    note(vault);
    struct vault_answer *answer = add(&vault->finds, &vault->found);
    answer->token = token;
    answer->code = code;
    snprintf(answer->id, sizeof answer->id, "%.*s", (int)id.size, id.data);
    keep(answer, payload);
}

static void on_parts(void *self, uint64_t token, int code, umbel_str id, const umbel_str *payloads,
                     size_t count)
{
    struct vault *vault = self;
    note(vault);
    cr_assert_eq(token, vault->read + 6000);
    cr_assert_eq(code, UMBEL_OK);
    cr_assert(str_equal(id, str_of(vault->asked_id)));
    vault->part_count = count;
    for (size_t i = 0; i < count; i++)
        snprintf(vault->parts[i], sizeof vault->parts[i], "%.*s", (int)payloads[i].size, payloads[i].data);
    vault->read++;
}

static void on_begun(void *self, uint64_t token, int code, struct backend_history history)
{
    struct vault *vault = self;
    note(vault);
    struct vault_answer *answer = add(&vault->begins, &vault->begun);
    answer->token = token;
    answer->code = code;
    answer->history = history;
}

static void on_notice(void *self, umbel_str payload, bool listened)
{
    struct vault *vault = self;
    note(vault);
    struct vault_answer *answer = add(&vault->notices, &vault->noticed);
    answer->listened = listened;
    keep(answer, payload);
}

static void on_subscribed(void *self, uint64_t token)
{
    struct vault *vault = self;
    note(vault);
    vault->last_subscribed = token;
    vault->subscribed++;
}

static void on_resubscribed(void *self)
{
    struct vault *vault = self;
    note(vault);
    vault->resubscribed++;
}

static void on_revoked(void *self, uint64_t token, int code, const struct backend_revocation *list,
                       size_t count)
{
    struct vault *vault = self;
    note(vault);
    cr_assert_eq(token, vault->revocations + 4000);
    vault->revocations++;
    vault->revoked_code = code;
    vault->found_until = 0;
    for (size_t i = 0; i < count; i++)
        if (str_equal(list[i].id, str_of(vault->asked_id)))
            vault->found_until = list[i].until;
}

static void on_closed(void *self)
{
    struct vault *vault = self;
    vault->backend = NULL;
    vault->closed++;
}

static const struct backend_events events = {
    .state = on_state,
    .stored = on_stored,
    .found = on_found,
    .parts = on_parts,
    .begun = on_begun,
    .notice = on_notice,
    .subscribed = on_subscribed,
    .resubscribed = on_resubscribed,
    .revoked = on_revoked,
};

void vault_open(struct vault *vault, struct driver *driver, const struct place *place, double expires)
{
    struct backend_options options = {.expires = expires, .key_prefix = place->name};
    struct buffer why;
    buffer_init(&why, 4096);
    *vault = (struct vault){.driver = driver, .inside = true};
    int code = backend_open(&vault->backend, &driver->loop, place->url, &options, &events, vault, &why);
    vault->inside = false;
    cr_assert_eq(code, UMBEL_OK, "%s: %.*s", place->url, (int)buffer_length(&why), buffer_head(&why));
    buffer_fini(&why);
    cr_assert(vault_wait(vault, &vault->up, 1), "%s did not come up: %s", place->url, vault->fail_why);
}

void vault_shut(struct vault *vault, double grace)
{
    if (vault->backend)
        vault->backend->ops->close(vault->backend, grace, on_closed, vault);
    cr_assert(vault_wait(vault, &vault->closed, 1), "close never ended");
}

static void forget(struct vault_answer *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i].payload);
    free(list);
}

void vault_close(struct vault *vault)
{
    vault_shut(vault, 2);
    cr_expect_eq(vault->unasked, 0, "%zu events came from inside a call", vault->unasked);
    forget(vault->stores, vault->stored);
    forget(vault->finds, vault->found);
    forget(vault->begins, vault->begun);
    forget(vault->notices, vault->noticed);
}

bool vault_wait(struct vault *vault, const size_t *counter, size_t wanted)
{
    return driver_wait(vault->driver, counter, wanted, PATIENCE);
}

umbel_str result_map(char out[512], const char *id, const char *state, int result)
{
    int size = snprintf(out, 512,
                        "{\"status\": \"%s\", \"result\": %d, \"traceback\": null, \"children\": [], "
                        "\"date_done\": \"2026-11-21T09:11:35.050829\", \"task_id\": \"%s\"}",
                        state, result, id);
    return (umbel_str){out, (size_t)size};
}

void assert_result_map(const char *found, const char *id, const char *state, int result)
{
    char map[512];
    result_map(map, id, state, result);
    cr_assert_str_eq(found, map);
}

void vault_put(struct vault *vault, const char *id, umbel_str payload, bool terminal, const char *reply,
               uint64_t token)
{
    struct backend_store store = {
        .id = str_of(id), .payload = payload, .terminal = terminal, .reply_channel = str_of(reply)};
    vault->inside = true;
    vault->backend->ops->store(vault->backend, &store, token);
    vault->inside = false;
}

static bool is_terminal(const char *state)
{
    return strcmp(state, "SUCCESS") == 0 || strcmp(state, "FAILURE") == 0 || strcmp(state, "REVOKED") == 0;
}

int vault_store(struct vault *vault, const char *id, const char *state, int result)
{
    char map[512];
    size_t before = vault->stored;
    vault_put(vault, id, result_map(map, id, state, result), is_terminal(state), NULL, before + 1000);
    cr_assert(vault_wait(vault, &vault->stored, before + 1), "store was not answered");
    cr_assert_eq(vault->stores[before].token, before + 1000);
    return vault->stores[before].code;
}

const char *vault_find(struct vault *vault, const char *id)
{
    umbel_str ids[] = {str_of(id)};
    size_t before = vault->found;
    vault->inside = true;
    vault->backend->ops->lookup(vault->backend, ids, 1, before + 2000);
    vault->inside = false;
    cr_assert(vault_wait(vault, &vault->found, before + 1), "lookup was not answered");
    cr_assert_eq(vault->finds[before].token, before + 2000);
    cr_assert_eq(vault->finds[before].code, UMBEL_OK);
    cr_assert_str_eq(vault->finds[before].id, id);
    return vault->finds[before].payload;
}

void vault_revoke(struct vault *vault, const char *id, double until)
{
    struct backend_revocation what = {str_of(id), until};
    vault->inside = true;
    vault->backend->ops->revoke(vault->backend, &what, 1);
    vault->inside = false;
}

double vault_revoked(struct vault *vault, const char *id)
{
    size_t before = vault->revocations;
    vault->asked_id = id;
    vault->inside = true;
    vault->backend->ops->list_revoked(vault->backend, before + 4000);
    vault->inside = false;
    cr_assert(vault_wait(vault, &vault->revocations, before + 1), "list_revoked was not answered");
    cr_assert_eq(vault->revoked_code, UMBEL_OK);
    return vault->found_until;
}

int vault_part(struct vault *vault, const char *id, const char *run, uint32_t number, const char *payload)
{
    size_t before = vault->stored;
    struct backend_part part = {.id = str_of(id),
                                .run = str_of(run),
                                .number = number,
                                .payload = str_of(payload),
                                .reply_channel = STR("mine")};
    vault->inside = true;
    vault->backend->ops->add_part(vault->backend, &part, before + 1000);
    vault->inside = false;
    cr_assert(vault_wait(vault, &vault->stored, before + 1), "add_part was not answered");
    cr_assert_eq(vault->stores[before].token, before + 1000);
    return vault->stores[before].code;
}

size_t vault_parts(struct vault *vault, const char *id, uint32_t from)
{
    size_t before = vault->read;
    vault->asked_id = id;
    vault->inside = true;
    vault->backend->ops->read_parts(vault->backend, str_of(id), from, before + 6000);
    vault->inside = false;
    cr_assert(vault_wait(vault, &vault->read, before + 1), "read_parts was not answered");
    return vault->part_count;
}

struct backend_history vault_begin(struct vault *vault, const char *id)
{
    size_t before = vault->begun;
    vault->inside = true;
    vault->backend->ops->begin(vault->backend, str_of(id), before + 3000);
    vault->inside = false;
    cr_assert(vault_wait(vault, &vault->begun, before + 1), "begin was not answered");
    cr_assert_eq(vault->begins[before].token, before + 3000);
    cr_assert_eq(vault->begins[before].code, UMBEL_OK);
    return vault->begins[before].history;
}

static void await_subscribed(struct vault *vault, uint64_t token)
{
    size_t before = vault->subscribed;
    cr_assert(vault_wait(vault, &vault->subscribed, before + 1), "subscribing was not answered");
    cr_assert_eq(vault->last_subscribed, token);
}

void vault_listen(struct vault *vault, const char *channel)
{
    vault->inside = true;
    vault->backend->ops->listen(vault->backend, str_of(channel), vault->subscribed + 4000);
    vault->inside = false;
    await_subscribed(vault, vault->subscribed + 4000);
}

void vault_watch(struct vault *vault, const char *id)
{
    umbel_str ids[] = {str_of(id)};
    vault->inside = true;
    vault->backend->ops->watch(vault->backend, ids, 1, vault->subscribed + 5000);
    vault->inside = false;
    await_subscribed(vault, vault->subscribed + 5000);
}
