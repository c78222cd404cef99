/* child.c: a child's life: read, call, write. Straight-line code; the parent has the loop.
 *
 * End of file from the parent means exit. The child announces what it put into the ring when its input runs
 * dry, or at the end of a task once the oldest unannounced frame is 200 us old, so that a batch costs one
 * system call and a single task no delay. It leaves by _exit only: exit handlers belong to the process it was
 * forked from. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/clock.h"
#include "worker/child_copy.h"
#include "worker/child_crash.h"
#include "worker/child_wire.h"
#include "worker/fork_process.h"
#include "worker/part_window.h"
#include "worker/task.h"
#include "worker/task_client.h"

#define READ_SIZE (64u << 10)
#define OUTPUT_CHUNK 8192

struct child {
    const struct registry *registry;
    struct child_wire wire;
    struct buffer input;
    struct umbel_task task;
    struct task_port port;
    struct task_client client;
    struct task_lender lender;
    struct waiting_board *board;
    int slot;
    void *user;
    _Atomic uint64_t parts_given; /* bytes, of partial results */
    uint32_t number;              /* of the job that runs; 0 = none */
    uint64_t now;                 /* end of the last job; 0 = look at the clock */
};

/* ---- the task's port ---- */

static void port_say(void *self, umbel_level level, umbel_str line)
{
    struct child *child = self;
    if (copy_here())
        return;
    char byte = (char)level;
    wire_send(&child->wire, &(struct frame_pieces){FRAME_LOG, child->number, {{&byte, 1}, line}});
    wire_bell(&child->wire); /* a long task's lines are for now */
}

static void port_progress(void *self, umbel_str value)
{
    struct child *child = self;
    if (copy_here())
        return;
    wire_send(&child->wire, &(struct frame_pieces){FRAME_PROGRESS, child->number, {value}});
    wire_bell(&child->wire);
}

static int port_part(void *self, umbel_str value)
{
    struct child *child = self;
    if (copy_here())
        return UMBEL_OK;
    if (!part_window_enter(&child->parts_given, &child->wire.page->parts_taken, value.size, PART_WINDOW))
        return UMBEL_BUSY;
    wire_send(&child->wire, &(struct frame_pieces){FRAME_PART, child->number, {value}});
    wire_bell(&child->wire);
    return UMBEL_OK;
}

static bool port_cancelled(void *self)
{
    struct child *child = self;
    return child->number &&
           atomic_load_explicit(&child->wire.page->cancelled, memory_order_relaxed) == child->number;
}

/* ---- while the task waits for others ---- */

/* The parent looks at the board when it hears the bell. */
static int lend(void *self, struct umbel_task *task)
{
    struct child *child = self;
    (void)task;
    if (!board_enter(child->board, child->slot))
        return UMBEL_BUSY;
    wire_bell(&child->wire);
    return UMBEL_OK;
}

static void take_back(void *self, struct umbel_task *task)
{
    struct child *child = self;
    (void)task;
    board_leave(child->board, child->slot);
}

/* ---- what tasks write to stdout and stderr ---- */

static bool written(int *which)
{
    struct pollfd ready[] = {{CHILD_OUT, POLLIN, 0}, {CHILD_ERR, POLLIN, 0}};
    if (poll(ready, 2, 0) <= 0)
        return false;
    *which = ready[0].revents & POLLIN ? CHILD_OUT : CHILD_ERR;
    return (ready[*which - CHILD_OUT].revents & POLLIN) != 0;
}

/* All that the job wrote is read back by the child itself, so that each line goes to the right job of a
 * batch. */
static void collect_output(struct child *child)
{
    char chunk[OUTPUT_CHUNK];
    int from;
    if (__fpending(stdout))
        fflush(stdout);
    if (__fpending(stderr))
        fflush(stderr);
    page_lock_output(child->wire.page);
    while (written(&from)) {
        ssize_t size = read(from, chunk, sizeof chunk);
        page_unlock_output(child->wire.page);
        if (size > 0) {
            char stream = (char)(from - CHILD_OUT + 1);
            wire_send(&child->wire, &(struct frame_pieces){
                                        FRAME_OUTPUT, child->number, {{&stream, 1}, {chunk, (size_t)size}}});
        }
        page_lock_output(child->wire.page);
    }
    page_unlock_output(child->wire.page);
}

/* ---- running ---- */

static bool read_call(struct child *child, const struct frame *frame, struct message *msg,
                      struct task_call *call)
{
    struct frame_run run;
    umbel_str packed = frame->payload;
    if (!str_take_bytes(&packed, &run, sizeof run))
        return false;
    *call = (struct task_call){
        .def = run.task == FRAME_NO_TASK ? NULL : registry_at(child->registry, run.task),
        .msg = msg,
        .result_codec = (enum codec)run.result_codec,
        .time_limit = run.time_limit,
        .soft_time_limit = run.soft_time_limit,
        .deaths = run.deaths,
        .started_ns = child->now,
    };
    return message_unpack(&child->task.arena, packed, msg) == UMBEL_OK;
}

static void run_job(struct child *child, const struct frame *frame)
{
    struct message msg;
    struct task_call call;
    struct outcome outcome = {.kind = OUTCOME_BAD_BODY,
                              .error_type = STR("DecodeError"),
                              .error_message = STR("the message could not be unpacked in the child")};
    if (!child->now)
        child->now = clock_mono_ns();
    if (!page_claim(child->wire.page, frame->number, child->now))
        return; /* taken back */
    child->number = frame->number;
    task_reset(&child->task);
    if (read_call(child, frame, &msg, &call))
        child->now = task_run(&child->task, &call, &outcome);
    copy_end();
    if (child->task.called) { /* until that is confirmed; the next job has not begun meanwhile */
        task_client_settle(&child->client, &child->task);
        child->now = clock_mono_ns();
    }
    collect_output(child);
    wire_done(&child->wire, child->number, &outcome, child->now);
    if (child->wire.late) { /* which is not the next job's time */
        child->wire.late = false;
        child->now = clock_mono_ns();
    }
    child->number = 0;
    if (child->now - child->wire.unannounced >= WIRE_ANNOUNCE_NS)
        wire_bell(&child->wire);
}

static _Noreturn void leave(struct child *child)
{
    registry_child_end(child->registry, child->user);
    copy_end();
    task_client_fini(&child->client, 0);
    collect_output(child);
    wire_bell(&child->wire);
    _exit(0);
}

static void handle(struct child *child, const struct frame *frame)
{
    if (frame->kind == FRAME_RUN)
        run_job(child, frame);
    else if (frame->kind == FRAME_BYE)
        leave(child);
}

/* ---- reading ---- */

/* More input. What is ready is announced before the child would wait. */
static void fill(struct child *child)
{
    if (buffer_length(&child->input) == 0)
        buffer_clear(&child->input); /* lets go of what one large body needed */
    uint8_t *room = buffer_room(&child->input, READ_SIZE);
    if (!room)
        _exit(EXIT_FAILURE);
    ssize_t size = recv(CHILD_SOCKET, room, READ_SIZE, MSG_DONTWAIT);
    while (size < 0) {
        if (errno != EAGAIN && errno != EINTR)
            _exit(0);
        if (child->wire.unannounced)
            wire_bell(&child->wire);
        child->now = 0;
        size = recv(CHILD_SOCKET, room, READ_SIZE, 0);
    }
    if (size == 0)
        _exit(0);
    buffer_grew(&child->input, (size_t)size);
}

static _Noreturn void serve(struct child *child)
{
    for (;;) {
        struct frame frame;
        size_t used;
        int code = frame_read(buffer_head(&child->input), buffer_length(&child->input), &frame, &used);
        if (code == UMBEL_PROTOCOL)
            _exit(EXIT_FAILURE);
        if (code == UMBEL_BUSY) {
            fill(child);
            continue;
        }
        handle(child, &frame);
        buffer_take(&child->input, used);
    }
}

/* ---- birth ---- */

/* A signal handler has no argument of ours. */
static struct umbel_task *the_task;

/* It ends a system call that waits by coming at all. */
static void wake(int signal_number)
{
    (void)signal_number;
    if (the_task)
        task_poke(the_task);
}

static void announce_ready(struct child *child, const char *why)
{
    collect_output(child);
    wire_send(&child->wire, &(struct frame_pieces){FRAME_READY, 0, {str_of(why)}});
    wire_bell(&child->wire);
}

static void start_hooks(struct child *child)
{
    char why[200];
    int code = registry_child_start(child->registry, &child->user, why);
    copy_end();
    if (code == UMBEL_OK) {
        announce_ready(child, "");
        return;
    }
    announce_ready(child, why[0] ? why : "a start hook failed and did not say why");
    _exit(EXIT_FAILURE);
}

void child_run(const struct child_birth *birth)
{
    if (birth->page->plan.crew)
        child_crew_run(birth);
    struct child child = {.registry = birth->registry,
                          .wire = {.page = birth->page},
                          .board = birth->board,
                          .slot = birth->slot};
    child.lender = (struct task_lender){lend, take_back, &child};
    child.port = (struct task_port){.say = port_say,
                                    .progress = port_progress,
                                    .part = port_part,
                                    .cancelled = port_cancelled,
                                    .self = &child,
                                    .client = &child.client};
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = wake}, NULL); /* no SA_RESTART */
    crash_watch(birth->page);
    copy_watch();
    srand((unsigned)clock_mono_ns() ^ (unsigned)getpid());
    srandom((unsigned)clock_mono_ns() ^ (unsigned)getpid());
    buffer_init(&child.input, FRAME_SIZE_MAX + READ_SIZE);
    task_client_init(&child.client, CHILD_NEST, &child.lender);
    start_hooks(&child);
    task_init(&child.task, &child.port, birth->registry, birth->worker_name, child.user);
    the_task = &child.task;
    serve(&child);
}
