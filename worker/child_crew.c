/* child_crew.c: the life of a child that runs several jobs at once.
 *
 * One thread reads what the parent says: the main thread, or with coroutines the loop that they run on. Jobs
 * go to the crew, which claims them in their order; whoever ran one writes its outcome, under the one lock of
 * the ring and the socket. The lock is taken before the crew's, never after. What tasks write to stdout and
 * stderr belongs to no job: the parent reads the pipes. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/clock.h"
#include "worker/child_copy.h"
#include "worker/child_crash.h"
#include "worker/child_wire.h"
#include "worker/crew.h"
#include "worker/fork_process.h"
#include "worker/task_client.h"
#include "worker/part_window.h"

#define READ_SIZE (64u << 10)

struct item {
    struct crew_job run;
    struct child_crew *child;
    uint32_t number;
    struct buffer payload; /* of its run frame */
    struct message msg;
    struct item *next, *prev; /* among those in hand, or the spare ones */
};

struct child_crew {
    const struct registry *registry;
    struct child_page *page;
    struct buffer input;
    void *user;
    struct crew *crew;
    struct task_client client;
    struct task_lender lender;
    _Atomic uint32_t waiting; /* jobs that wait for others */

    _Atomic uint64_t parts_given; /* bytes, of partial results */

    pthread_mutex_t lock; /* of all below */
    struct child_wire wire;
    struct item *first, *spare;
    _Atomic(struct item *)
        dropped; /* their claim was refused; pushed under the crew's lock, so not under ours */

    struct loop loop; /* coroutines */
    uv_poll_t poll;
    struct turn_hook turn;
    bool has_loop;
};

/* ---- items ---- */

/* Under the lock. */
static void unlink_item(struct child_crew *child, struct item *item)
{
    *(item->prev ? &item->prev->next : &child->first) = item->next;
    if (item->next)
        item->next->prev = item->prev;
}

static void recycle(struct child_crew *child, struct item *item)
{
    unlink_item(child, item);
    buffer_clear(&item->payload);
    item->next = child->spare;
    child->spare = item;
}

/* The next of a dropped item is found through its crew job, whose list it has left. */
static void collect_dropped(struct child_crew *child)
{
    struct item *item = atomic_exchange(&child->dropped, NULL);
    while (item) {
        struct crew_job *next = item->run.next;
        item->run.next = NULL;
        recycle(child, item);
        item = next ? next->owner : NULL;
    }
}

static struct item *item_make(struct child_crew *child)
{
    struct item *item = child->spare;
    if (item) {
        child->spare = item->next;
    } else {
        item = calloc(1, sizeof *item);
        if (!item)
            _exit(EXIT_FAILURE);
        item->child = child;
        buffer_init(&item->payload, FRAME_SIZE_MAX);
    }
    item->prev = NULL;
    item->next = child->first;
    if (child->first)
        child->first->prev = item;
    child->first = item;
    return item;
}

static struct item *find(struct child_crew *child, uint32_t number)
{
    struct item *item = child->first;
    while (item && item->number != number)
        item = item->next;
    return item;
}

/* ---- what happens to jobs ---- */

static bool on_claim(void *self, struct crew_job *run, uint64_t now_ns)
{
    struct child_crew *child = self;
    struct item *item = run->owner;
    if (page_claim(child->page, item->number, now_ns))
        return true;
    struct item *head = atomic_load(&child->dropped);
    do
        run->next = head ? &head->run : NULL;
    while (!atomic_compare_exchange_weak(&child->dropped, &head, item));
    return false;
}

static bool on_open(void *self, struct crew_job *run, struct arena *arena)
{
    struct child_crew *child = self;
    struct item *item = run->owner;
    struct frame_run head;
    umbel_str packed = {(const char *)buffer_head(&item->payload), buffer_length(&item->payload)};
    if (item->payload.failed || !str_take_bytes(&packed, &head, sizeof head))
        return false;
    run->call = (struct task_call){
        .def = head.task == FRAME_NO_TASK ? NULL : registry_at(child->registry, head.task),
        .msg = &item->msg,
        .result_codec = (enum codec)head.result_codec,
        .time_limit = head.time_limit,
        .soft_time_limit = head.soft_time_limit,
        .deaths = head.deaths,
    };
    return message_unpack(arena, packed, &item->msg) == UMBEL_OK;
}

static void on_returned(void *self)
{
    (void)self;
    copy_end();
}

/* Coroutines: one bell for what ends in one turn of the loop, unless the oldest frame has waited long enough.
 * Threads: at once; as long as the parent has not looked, that is no system call. */
static void announce(struct child_crew *child, uint64_t now_ns)
{
    if (child->has_loop && now_ns - child->wire.unannounced < WIRE_ANNOUNCE_NS)
        loop_mark(&child->loop, &child->turn);
    else
        wire_bell(&child->wire);
}

static void on_done(void *self, struct crew_job *run, const struct outcome *outcome)
{
    struct child_crew *child = self;
    struct item *item = run->owner;
    uint64_t now_ns = clock_mono_ns();
    fflush(stdout);
    pthread_mutex_lock(&child->lock);
    wire_done(&child->wire, item->number, outcome, now_ns);
    crew_release(child->crew, run);
    recycle(child, item);
    announce(child, now_ns);
    pthread_mutex_unlock(&child->lock);
}

static void tell(struct child_crew *child, const struct frame_pieces *pieces)
{
    if (copy_here())
        return;
    pthread_mutex_lock(&child->lock);
    wire_send(&child->wire, pieces);
    wire_bell(&child->wire);
    pthread_mutex_unlock(&child->lock);
}

static void on_say(void *self, struct crew_job *run, umbel_level level, umbel_str line)
{
    const struct item *item = run->owner;
    char byte = (char)level;
    tell(self, &(struct frame_pieces){FRAME_LOG, item->number, {{&byte, 1}, line}});
}

static void on_progress(void *self, struct crew_job *run, umbel_str value)
{
    const struct item *item = run->owner;
    tell(self, &(struct frame_pieces){FRAME_PROGRESS, item->number, {value}});
}

static int on_part(void *self, struct crew_job *run, umbel_str value)
{
    struct child_crew *child = self;
    const struct item *item = run->owner;
    if (!part_window_enter(&child->parts_given, &child->page->parts_taken, value.size, PART_WINDOW))
        return UMBEL_BUSY;
    tell(child, &(struct frame_pieces){FRAME_PART, item->number, {value}});
    return UMBEL_OK;
}

/* A place more comes from the parent, once it has taken back what has not started. */
static void tell_wait(struct child_crew *child, struct umbel_task *task, char waits)
{
    const struct item *item = crew_job_of(task)->owner;
    tell(child, &(struct frame_pieces){FRAME_WAIT, item->number, {{&waits, 1}}});
}

static int lend(void *self, struct umbel_task *task)
{
    struct child_crew *child = self;
    uint32_t most = child->page->plan.most_waiting;
    if (atomic_fetch_add(&child->waiting, 1) >= most && most) {
        atomic_fetch_sub(&child->waiting, 1);
        return UMBEL_BUSY;
    }
    tell_wait(child, task, 1);
    return UMBEL_OK;
}

static void take_back(void *self, struct umbel_task *task)
{
    struct child_crew *child = self;
    atomic_fetch_sub(&child->waiting, 1);
    tell_wait(child, task, 0);
}

static const struct crew_events crew_calls = {.claim = on_claim,
                                              .open = on_open,
                                              .returned = on_returned,
                                              .done = on_done,
                                              .say = on_say,
                                              .progress = on_progress,
                                              .part = on_part};

/* ---- what the parent says ---- */

static void take_job(struct child_crew *child, const struct frame *frame)
{
    pthread_mutex_lock(&child->lock);
    collect_dropped(child);
    struct item *item = item_make(child);
    pthread_mutex_unlock(&child->lock);
    item->number = frame->number;
    item->run.owner = item;
    buffer_add(&item->payload, frame->payload.data, frame->payload.size);
    if (crew_give(child->crew, &item->run))
        _exit(EXIT_FAILURE); /* not a single thread: another child may do better */
}

static void stop_job(struct child_crew *child, uint32_t number, umbel_str payload)
{
    uint8_t cancelled = 0;
    if (!str_take_bytes(&payload, &cancelled, 1))
        _exit(EXIT_FAILURE);
    pthread_mutex_lock(&child->lock);
    struct item *item = find(child, number);
    if (item && cancelled)
        crew_cancel(child->crew, &item->run);
    else if (item)
        crew_nudge(child->crew, &item->run);
    pthread_mutex_unlock(&child->lock);
}

static void set_slots(struct child_crew *child, umbel_str payload)
{
    uint32_t slots;
    if (!str_take_bytes(&payload, &slots, sizeof slots) || slots == 0)
        _exit(EXIT_FAILURE);
    crew_limit(child->crew, slots);
}

/* The parent has nothing here any more; what was left behind by a time limit ends with the process. */
static _Noreturn void leave(struct child_crew *child)
{
    registry_child_end(child->registry, child->user);
    copy_end();
    task_client_fini(&child->client, 0);
    fflush(stdout);
    pthread_mutex_lock(&child->lock);
    wire_bell(&child->wire);
    _exit(0);
}

static void handle(struct child_crew *child, const struct frame *frame)
{
    switch (frame->kind) {
    case FRAME_RUN:
        take_job(child, frame);
        break;
    case FRAME_CANCEL:
        stop_job(child, frame->number, frame->payload);
        break;
    case FRAME_SLOTS:
        set_slots(child, frame->payload);
        break;
    case FRAME_BYE:
        leave(child);
    default: /* nothing that a parent says */
        break;
    }
}

static void handle_all(struct child_crew *child)
{
    struct frame frame;
    size_t used;
    int code;
    while ((code = frame_read(buffer_head(&child->input), buffer_length(&child->input), &frame, &used)) ==
           UMBEL_OK) {
        handle(child, &frame);
        buffer_take(&child->input, used);
    }
    if (code == UMBEL_PROTOCOL)
        _exit(EXIT_FAILURE);
}

/* ---- reading ---- */

static void read_some(struct child_crew *child, int flags)
{
    if (buffer_length(&child->input) == 0)
        buffer_clear(&child->input);
    uint8_t *room = buffer_room(&child->input, READ_SIZE);
    if (!room)
        _exit(EXIT_FAILURE);
    ssize_t size = recv(CHILD_SOCKET, room, READ_SIZE, flags);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
        _exit(0);
    if (size > 0)
        buffer_grew(&child->input, (size_t)size);
    handle_all(child);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status < 0)
        _exit(0);
    read_some(poll->data, MSG_DONTWAIT);
}

static void on_turn(void *self)
{
    struct child_crew *child = self;
    if (child->wire.unannounced)
        wire_bell(&child->wire);
}

static _Noreturn void serve_loop(struct child_crew *child)
{
    uv_poll_start(&child->poll, UV_READABLE, on_readable);
    loop_run(&child->loop);
    _exit(EXIT_FAILURE); /* nobody stops it */
}

static _Noreturn void serve_thread(struct child_crew *child)
{
    for (;;)
        read_some(child, 0);
}

/* ---- birth ---- */

static void wake(int signal_number)
{
    (void)signal_number; /* it only ends a wait */
}

static void announce_ready(struct child_crew *child, const char *why)
{
    fflush(stdout);
    tell(child, &(struct frame_pieces){FRAME_READY, 0, {str_of(why)}});
    if (why[0])
        _exit(EXIT_FAILURE);
}

static void start_hooks(struct child_crew *child)
{
    char why[200];
    int code = registry_child_start(child->registry, &child->user, why);
    copy_end();
    if (code != UMBEL_OK)
        announce_ready(child, why[0] ? why : "a start hook failed and did not say why");
}

static void open_loop(struct child_crew *child)
{
    if (loop_init(&child->loop) || uv_poll_init(&child->loop.uv, &child->poll, CHILD_SOCKET))
        announce_ready(child, "out of descriptors or memory");
    child->poll.data = child;
    child->turn = (struct turn_hook){.call = on_turn, .self = child};
    child->has_loop = true;
}

static void open_crew(struct child_crew *child, const char *worker_name)
{
    const struct child_plan *plan = &child->page->plan;
    struct crew_options options = {.kind = (enum crew_kind)plan->crew,
                                   .limit = plan->slots,
                                   .registry = child->registry,
                                   .worker_name = worker_name,
                                   .user = child->user,
                                   .loop = &child->loop,
                                   .stack_size = plan->stack_size,
                                   .client = &child->client,
                                   .wake_signal = SIGUSR1,
                                   .crash_stacks = true};
    if (options.kind == CREW_COROUTINES)
        open_loop(child);
    if (crew_open(&child->crew, &options, &crew_calls, child))
        announce_ready(child, "out of memory");
}

void child_crew_run(const struct child_birth *birth)
{
    struct child_crew *child = calloc(1, sizeof *child);
    if (!child)
        _exit(EXIT_FAILURE);
    child->registry = birth->registry;
    child->page = child->wire.page = birth->page;
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = wake}, NULL); /* no SA_RESTART */
    crash_watch(birth->page);
    copy_watch();
    srand((unsigned)clock_mono_ns() ^ (unsigned)getpid());
    srandom((unsigned)clock_mono_ns() ^ (unsigned)getpid());
    setvbuf(stdout, NULL, _IOLBF, 0); /* lines of several tasks come whole */
    pthread_mutex_init(&child->lock, NULL);
    buffer_init(&child->input, FRAME_SIZE_MAX + READ_SIZE);
    child->lender = (struct task_lender){lend, take_back, child};
    task_client_init(&child->client, CHILD_NEST, &child->lender);
    start_hooks(child);
    open_crew(child, birth->worker_name);
    announce_ready(child, "");
    if (child->has_loop)
        serve_loop(child);
    serve_thread(child);
}
