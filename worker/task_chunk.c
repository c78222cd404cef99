/* task_chunk.c: celery.map and celery.starmap: many calls of one task in one job, one list of their results.
 *
 * Each call goes through the registered task with its decoded arguments; what it returns is encoded behind
 * what the calls before it returned, so that a call costs no memory of its own. As in Celery, the signature
 * names the task and nothing more, the first call that fails ends the job with its failure, and limits are
 * those of the job. Between two calls it is asked whether the job is to stop. */
#include <stdio.h>
#include "common/str.h"
#include "worker/builtin.h"
#include "worker/task.h"

#define SHOWN 200

struct chunk {
    const umbel_task_def *def; /* of the inner task */
    const umbel_value *calls;
    bool star; /* each call is a list of arguments, not one argument */
};

/* ---- which task ---- */

static const umbel_task_def *find_task(struct umbel_task *task, const umbel_value *signature)
{
    umbel_str name = value_text(signature, "task");
    const umbel_task_def *def = task->registry ? registry_find(task->registry, name) : NULL;
    if (umbel_value_kind(signature) != UMBEL_MAP || !name.size)
        umbel_fail(task, "TypeError", "%s() argument 1 ('task') must be a signature", task->call->def->name);
    else if (!def)
        umbel_fail(task, "NotRegistered", "%.*s", (int)(name.size < 255 ? name.size : 255), name.data);
    else if (def->run == builtin_map || def->run == builtin_starmap)
        umbel_fail(task, "NotImplementedError", "%s cannot call %s", task->call->def->name, def->name);
    else
        return def;
    return NULL;
}

/* A task that is run at most once is not run by a message that may have started some of its calls before. */
static bool may_run(struct umbel_task *task, const umbel_task_def *def)
{
    const struct message *msg = task->call->msg;
    if (def->options.acks != UMBEL_AT_MOST_ONCE)
        return true;
    if (!msg->redelivered && !msg->republished && !task->call->deaths)
        return true;
    umbel_fail(task, "WorkerLostError",
               "some of its calls of %s may have been run; they are not run again (at most once)", def->name);
    return false;
}

/* ---- one call ---- */

/* Between calls: has the job been cancelled, or is its soft time limit over? */
static bool stopped(struct umbel_task *task)
{
    if (!task_interrupted(task))
        return false;
    task->settled = false;
    if (task->saw_cancel)
        task_settle(task, OUTCOME_CANCELLED, "TaskRevokedError", "the chunk stopped when it was asked to");
    else
        umbel_fail(task, "SoftTimeLimitExceeded", "%g", task->call->soft_time_limit);
    return true;
}

/* One call alone cannot be sent again, so a wish for it is a failure, as in Celery. */
static void refuse_retry(struct umbel_task *task)
{
    if (task->outcome.kind == OUTCOME_RETRY)
        task->outcome.kind = OUTCOME_FAILURE;
}

/* The evidence of a failure says which call it was. */
static void note_call(struct umbel_task *task, const struct chunk *chunk, size_t index)
{
    struct buffer text;
    buffer_init(&text, 4096);
    buffer_format(&text, "call %zu of %zu: %s", index + 1, umbel_value_count(chunk->calls), chunk->def->name);
    value_repr_args(&text, task->args, SHOWN);
    task->outcome.traceback =
        arena_str(&task->arena, (umbel_str){(const char *)buffer_head(&text), buffer_length(&text)});
    buffer_fini(&text);
}

/* False: the job has its outcome. */
static bool call_one(struct umbel_task *task, const struct chunk *chunk, size_t index)
{
    const umbel_value *call = umbel_value_at(chunk->calls, index);
    umbel_value single = {.kind = UMBEL_LIST, .count = 1, .as.items = (umbel_value *)(uintptr_t)call};
    if (chunk->star && umbel_value_kind(call) != UMBEL_LIST) {
        umbel_fail(task, "TypeError", "call %zu of %s must be a list of arguments, not %s", index + 1,
                   chunk->def->name, value_type_name(call));
        return false;
    }
    task->args = chunk->star ? call : &single;
    chunk->def->run(task);
    task_settle_silence(task);
    refuse_retry(task);
    bool went_well = task->outcome.kind == OUTCOME_SUCCESS;
    if (!went_well && task->outcome.kind == OUTCOME_FAILURE)
        note_call(task, chunk, index);
    task->args = NULL;
    return went_well;
}

static void call_all(struct umbel_task *task, const struct chunk *chunk)
{
    enum codec codec = task->call->result_codec;
    size_t count = umbel_value_count(chunk->calls);
    codec_open_list(codec, &task->value, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        if (stopped(task))
            return;
        codec_next(codec, &task->value, (uint32_t)i);
        task->settled = false;
        if (!call_one(task, chunk, i))
            return;
    }
    codec_close_list(codec, &task->value);
    task->outcome.kind = OUTCOME_SUCCESS;
    task->settled = true;
}

/* ---- the job ---- */

static void run_chunk(struct umbel_task *task, bool star)
{
    static const umbel_value no_kwargs = {.kind = UMBEL_MAP};
    const umbel_value *signature = NULL;
    struct chunk chunk = {.star = star};
    if (umbel_args(task, umbel_named("task", &signature), umbel_named("it", &chunk.calls)))
        return;
    if (umbel_value_kind(chunk.calls) != UMBEL_LIST) {
        umbel_fail(task, "TypeError", "%s() argument 2 ('it') must be a list, not %s", task->call->def->name,
                   value_type_name(chunk.calls));
        return;
    }
    chunk.def = find_task(task, signature);
    if (!chunk.def || !may_run(task, chunk.def))
        return;
    const struct task_call *outer = task->call;
    struct task_call inner = *outer;
    inner.def = chunk.def;
    task->call = &inner;
    task->kwargs = &no_kwargs;
    call_all(task, &chunk);
    task->call = outer;
}

void builtin_map(umbel_task *task)
{
    run_chunk(task, false);
}

void builtin_starmap(umbel_task *task)
{
    run_chunk(task, true);
}
