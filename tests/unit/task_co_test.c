/* task_co_test.c: the calls of umbel/coroutine.h, each by the same task on a plain thread and on a coroutine.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <signal.h>
#include "common/clock.h"
#include "common/loop.h"
#include "common/str.h"
#include "worker/task.h"
#include "tests/modules/waits.c"

static void say_nothing(void *self, umbel_level level, umbel_str line)
{
    (void)self, (void)level, (void)line;
}

struct run {
    struct umbel_task task;
    struct task_port port;
    struct message msg;
    struct task_call call;
    struct outcome outcome;
    _Atomic bool cancelled;
};

static bool is_cancelled(void *self)
{
    return atomic_load(&((struct run *)self)->cancelled);
}

static struct run *run_new(const umbel_task_def *def)
{
    struct run *run = calloc(1, sizeof *run);
    run->port = (struct task_port){.say = say_nothing, .cancelled = is_cancelled, .self = run};
    task_init(&run->task, &run->port, NULL, "w@h", NULL);
    message_init(&run->msg);
    run->msg.id = STR("an-id");
    run->msg.content_type = STR("application/json");
    run->msg.body = STR("[[], {}, {}]");
    run->call = (struct task_call){.def = def, .msg = &run->msg, .started_ns = clock_mono_ns()};
    return run;
}

static void run_free(struct run *run)
{
    task_fini(&run->task);
    free(run);
}

static void perform(void *self)
{
    struct run *run = self;
    task_run(&run->task, &run->call, &run->outcome);
}

static void on_coroutine(struct run *run)
{
    struct loop loop;
    cr_assert_eq(loop_init(&loop), 0);
    struct co_scheduler *scheduler = co_scheduler_new(&loop.uv);
    co_start(scheduler, 0, perform, run);
    while (co_scheduler_count(scheduler))
        uv_run(&loop.uv, UV_RUN_ONCE);
    cr_assert_eq(co_scheduler_free(scheduler), 0);
    loop_fini(&loop);
}

static void check(struct run *run, const char *wanted)
{
    struct outcome *outcome = &run->outcome;
    cr_assert_eq(outcome->kind, OUTCOME_SUCCESS, "%s: %.*s", run->call.def->name,
                 (int)outcome->error_message.size, outcome->error_message.data);
    cr_assert(str_equal(outcome->value, str_of(wanted)), "%s: %.*s", run->call.def->name,
              (int)outcome->value.size, outcome->value.data);
    run_free(run);
}

static const umbel_task_def *all[] = {
    &umbel_def_waits_sleep,   &umbel_def_waits_spawn,   &umbel_def_waits_join,     &umbel_def_waits_leave,
    &umbel_def_waits_timeout, &umbel_def_waits_echo,    &umbel_def_waits_dial,     &umbel_def_waits_pipe,
    &umbel_def_waits_share,   &umbel_def_waits_file,    &umbel_def_waits_blocking, &umbel_def_waits_program,
    &umbel_def_waits_deaf,    &umbel_def_waits_channel, &umbel_def_waits_event,    &umbel_def_waits_semaphore,
};

/* An index into `all` each: a pointer would mean nothing in the process of another test. */
static struct criterion_test_params each_of_all(void)
{
    static size_t index[sizeof all / sizeof *all];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        index[i] = i;
    return cr_make_param_array(size_t, index, sizeof all / sizeof *all);
}

ParameterizedTestParameters(task_co, works_on_a_thread)
{
    return each_of_all();
}

ParameterizedTest(size_t *index, task_co, works_on_a_thread, .timeout = 60)
{
    struct run *run = run_new(all[*index]);
    perform(run);
    cr_assert_null(co_self(), "the thread is a plain one again");
    check(run, "\"good\"");
}

ParameterizedTestParameters(task_co, works_on_a_coroutine)
{
    return each_of_all();
}

ParameterizedTest(size_t *index, task_co, works_on_a_coroutine, .timeout = 60)
{
    struct run *run = run_new(all[*index]);
    on_coroutine(run);
    check(run, "\"good\"");
}

/* ---- being asked to end ---- */

static void *cancel_soon(void *self)
{
    struct run *run = self;
    usleep(50000);
    atomic_store(&run->cancelled, true);
    task_poke(&run->task);
    return NULL;
}

static void assert_cancel_is_heard(void (*how)(struct run *run))
{
    struct run *run = run_new(&umbel_def_waits_forever);
    double began = clock_mono();
    pthread_t thread;
    pthread_create(&thread, NULL, cancel_soon, run);
    how(run);
    pthread_join(thread, NULL);
    cr_assert_lt(clock_mono() - began, 10);
    check(run, "\"interrupted\"");
}

static void on_thread(struct run *run)
{
    perform(run);
}

Test(task_co, a_cancellation_ends_every_wait_on_a_thread, .timeout = 60)
{
    assert_cancel_is_heard(on_thread);
}

Test(task_co, a_cancellation_ends_every_wait_on_a_coroutine, .timeout = 60)
{
    assert_cancel_is_heard(on_coroutine);
}

static struct run *poked;

static void poke_from_handler(int number)
{
    (void)number;
    atomic_store(&poked->cancelled, true);
    task_poke(&poked->task);
}

static void *interrupt_soon(void *self)
{
    usleep(50000);
    pthread_kill(*(pthread_t *)self, SIGUSR1);
    return NULL;
}

Test(task_co, a_signal_handler_may_poke_the_task_it_interrupted, .timeout = 60)
{
    pthread_t self = pthread_self(), thread;
    poked = run_new(&umbel_def_waits_forever);
    signal(SIGUSR1, poke_from_handler);
    pthread_create(&thread, NULL, interrupt_soon, &self);
    perform(poked);
    pthread_join(thread, NULL);
    check(poked, "\"interrupted\"");
}

static void assert_soft_limit_is_heard(void (*how)(struct run *run))
{
    struct run *run = run_new(&umbel_def_waits_forever);
    run->call.soft_time_limit = 0.05;
    double began = clock_mono();
    how(run);
    cr_assert(clock_mono() - began >= 0.05 && clock_mono() - began < 10);
    check(run, "\"interrupted\"");
}

Test(task_co, a_soft_limit_ends_every_wait, .timeout = 60)
{
    assert_soft_limit_is_heard(on_thread);
    assert_soft_limit_is_heard(on_coroutine);
}

Test(task_co, one_thread_runs_task_after_task)
{
    for (int i = 0; i < 100; i++) {
        struct run *run = run_new(i % 2 ? &umbel_def_waits_leave : &umbel_def_waits_event);
        perform(run);
        check(run, "\"good\"");
    }
}
