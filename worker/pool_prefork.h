/* pool_prefork.h: the shapes of the prefork pool, shared by its files.
 *
 *     pool_prefork.c   the contract: open, dispatch, take back, cancel, resize, stop
 *     pool_births.c    children wanted against children alive
 *     pool_slot.c      one child: what it is given, taking back, sending away
 *     pool_frames.c    what it says
 *     pool_end.c       how it ends
 *     pool_place.c     which job goes to which child
 *     pool_lend.c      children that wait for others: their lanes are lent
 *     pool_watch.c     the tick: limits, memory, long jobs with others behind them
 *     pool_output.c    lines out of what children write
 *     pool_crew.c      children that run several jobs at once (threads, coroutines): births, places
 *     pool_crew_watch.c   their limits
 *
 *
 * A job is in exactly one list: the backlog, one slot's, or the refused ones. A slot is one child after
 * another. */
#ifndef WORKER_POOL_PREFORK_H
#define WORKER_POOL_PREFORK_H

#include "common/stream.h"
#include "worker/child_page.h"
#include "worker/crew.h"
#include "worker/fork_server.h"
#include "worker/lanes.h"
#include "worker/nest.h"
#include "worker/pool.h"
#include "worker/waiting_board.h"

#define OUTPUT_LINE_MAX 4096

struct slot;

/* The pool's note on one job. */
struct note {
    struct job *job;
    struct slot *slot; /* where it was given, or NULL */
    uint32_t number;   /* of its run frame */
    uint64_t cost;     /* ns it is taken to need */
    double kill_at;    /* cancelled: monotonic seconds; 0 = not */
    bool told_started, told_soft;
    bool refused; /* it is in the list of those that end without running, as `verdict` */
    enum outcome_kind verdict;
    struct lane_seat seat; /* of a crew, while it is given */
    struct note *next, *prev;
    struct note *chain; /* of a crew: in the same row of the index */
    uint64_t since;     /* of a crew: monotonic ns at which it was seen to run; 0 = not yet */
};

struct note_list {
    struct note *first, *last;
    uint32_t count;
};

/* Lines out of one of the child's two streams. */
struct output {
    uv_poll_t poll;
    int fd;
    umbel_level level;
    uint32_t fill;
    bool cut; /* the rest of a line that was too long is skipped */
    bool closing;
    char line[OUTPUT_LINE_MAX];
};

/* What a slot has more when its child runs several jobs at once. */
struct crew_slot {
    uint32_t waiting, lent; /* jobs that wait for others; places it was given for that */
    struct note **index;    /* notes by number, chained; its size is the pool's index_size */
    bool solitary;          /* for suspects only, one at a time */
    bool fat;               /* condemned because of its memory */
    bool innocent;          /* it was killed because of a job that is over: those that run are not guilty */
    uint32_t zombies;       /* jobs whose outcome was reported although they have not ended */
    uint64_t condemned_at;  /* loop ms from which on it is given nothing; 0 = it is not condemned */
    uint32_t last_started;
    uint64_t progress_at; /* monotonic ns at which something last started */
    uint64_t period;      /* ms; how soon it wants to be looked at */
};

enum slot_state {
    SLOT_EMPTY,   /* no child */
    SLOT_ASKED,   /* the fork server was asked for one */
    SLOT_BORN,    /* it lives, its hooks run */
    SLOT_READY,   /* it takes jobs */
    SLOT_LEAVING, /* it was told to go */
    SLOT_KILLED   /* it was killed, its end is awaited */
};

struct slot {
    struct prefork *pool;
    int index;
    enum slot_state state;
    int pid;
    int handle; /* pidfd or -1 */
    struct stream *stream;
    struct buffer large; /* bytes of a frame on the socket */
    bool large_due;      /* the ring has announced it */
    struct child_page *page;
    struct note_list jobs;
    struct lane_seat seat;    /* while it has jobs */
    struct nest_guest *guest; /* what its tasks call; NULL: nothing can be called */
    uint64_t queued_ns;       /* cost of all of them */
    uint32_t next_number;
    uint64_t given; /* jobs since birth */
    bool broken;    /* it broke the protocol: nothing it says is read any more */
    bool unborn;    /* it has never been ready */
    bool retiring;  /* gets nothing more, leaves when done */
    bool overdue;   /* the job that runs takes longer than others should wait for */
    bool touched;   /* it ran something since its memory was last looked at */
    enum outcome_kind kill_kind;
    uint32_t kill_number; /* job it was killed for; 0 = none */
    const char *kill_why;
    char hook_why[208]; /* why it never became ready */
    size_t memory_peak;
    uint64_t sampled_at; /* loop ms of the last look at its memory */
    uint64_t deaf_since; /* loop ms since which it has jobs and has begun none but `deaf_number` */
    uint32_t deaf_number;
    struct output *out[2];
    uint32_t lines, dropped; /* of the current second */
    uint64_t lines_since;
    struct crew_slot crew;
};

struct prefork {
    struct pool base;
    struct loop *loop;
    struct pool_options options;
    const struct pool_events *events;
    void *self;
    const struct registry *registry;

    struct slot *slots; /* FORK_SERVER_SLOTS, untouched ones cost nothing */
    int used;           /* slots [0, used) may have children */
    int wanted, children;
    struct lanes lanes;
    struct waiting_board *board;
    int spares;       /* children beyond `wanted`, because some wait */
    int peak_waiting; /* the most that waited since the spares were last counted */
    bool stopping, lost, stopped;
    double stop_at; /* monotonic seconds after which children are killed */

    enum crew_kind crew;       /* CREW_NONE: one job at a time per child */
    uint32_t width;            /* jobs at once per child */
    uint32_t index_size;       /* of a crew's index, a power of two */
    uint32_t occupied;         /* jobs that run or will at once */
    struct note_list suspects; /* of a crew: accepted, to be run alone */

    struct note_list backlog; /* accepted, not given to a child */
    struct note_list refused; /* to be finished at the end of the turn, without having run */
    uint32_t outstanding;     /* given to children */
    int overdue;              /* slots that are */
    struct note *spare;       /* notes to use again */
    uint64_t *task_mean;      /* per task of the registry, ns */
    uint64_t mean;            /* of all jobs */

    uv_timer_t tick, brake, thrift;
    uint64_t tick_period;
    int early_deaths;     /* in a row, before they were ready */
    uint64_t brake_until; /* loop ms */
    int in_birth;
    struct turn_hook turn; /* settle: refused jobs, room, stopped */
    bool room_due;
    int open_handles;
    bool freeing;
};

/* pool_prefork.c */
void prefork_finish(struct prefork *pool, struct note *note, const struct outcome *outcome);
/* Ends a job that is in no list and has not run. */
void prefork_refuse(struct prefork *pool, struct note *note, enum outcome_kind verdict);
void prefork_settle_soon(struct prefork *pool);
/* Tells that the pool has stopped, once it has; it may be freed after that. */
bool prefork_end(struct prefork *pool);
void prefork_handle_closed(struct prefork *pool);

/* Accepted, not given to a child. */
uint32_t prefork_waiting(const struct prefork *pool);
/* The list where this note waits for a child. */
struct note_list *prefork_list(struct prefork *pool, const struct note *note);

/* pool_births.c */
void births_spawn(struct prefork *pool, struct slot *slot);
/* True: births have failed, and it is too early for the next. */
bool births_braked(struct prefork *pool);
/* Compares children wanted with children alive and acts. After every event that changes either. */
void births_check(struct prefork *pool);
/* A child ended before it was ready. */
void births_early_death(struct prefork *pool);
void births_on_brake(uv_timer_t *timer);

/* pool_slot.c */
extern const struct fork_server_events slot_events;
struct slot *slot_at(struct prefork *pool, int index);
/* Has it been given all that one child may run? */
static inline bool slot_used_up(const struct slot *slot)
{
    uint64_t most = slot->pool->options.max_tasks_per_child;
    return most && slot->given >= most;
}
/* May it get jobs? */
static inline bool slot_ready(const struct slot *slot)
{
    return slot->state == SLOT_READY && !slot->retiring && !slot->crew.condemned_at && !slot_used_up(slot);
}
void slot_give(struct slot *slot, struct note *note);
/* Moves all that has not started back into the backlog, in order. Answers the note that runs, or NULL. */
struct note *slot_take_back(struct slot *slot);
void slot_set_overdue(struct slot *slot, bool overdue);
/* Tells the consumer, once, that a job runs. */
void slot_tell_started(struct slot *slot, struct note *note);
/* The note that runs now, and since when; NULL when none does. */
struct note *slot_running(struct slot *slot, uint64_t *since);
/* SIGKILL because of `note`, which must run there; false when it has just ended. */
bool slot_kill_for(struct slot *slot, struct note *note, enum outcome_kind kind, const char *why);
void slot_kill(struct slot *slot, const char *why);
/* Nothing more is given; it leaves when its jobs are done. */
void slot_retire(struct slot *slot);
void slot_signal(const struct slot *slot, int signal_number);
/* Takes a note out of its list, into none. */
void slot_forget(struct slot *slot, struct note *note);

/* pool_frames.c */
/* Bytes of partial results from there are stored: its child may give more. */
void slot_part_taken(struct prefork *pool, uint64_t source, size_t size);
bool slot_open_stream(struct slot *slot, int fd);
/* Reads the ring as far as it goes. */
void slot_drain(struct slot *slot);
/* The child is gone: reads what its socket and ring still hold. */
void slot_read_rest(struct slot *slot);

/* pool_end.c: of struct fork_server_events */
void slot_on_ended(void *self, int index, int pid, int wait_status, size_t memory_peak, double cpu_seconds);
void slot_on_lost(void *self, const char *why);

/* pool_crew.c: all of it for pools of crews only */
bool crew_slot_open(struct slot *slot);
void crew_slot_note(struct slot *slot, struct note *note);
void crew_slot_forget(struct slot *slot, const struct note *note);
struct note *crew_slot_find(const struct slot *slot, uint32_t number);
/* Jobs at once per child, out of those of the whole pool. */
void crew_set_width(struct prefork *pool);
void crew_births(struct prefork *pool);
struct slot *crew_choose(struct prefork *pool, int depth, struct lane_seat **below);
void crew_lend(struct slot *slot);
void crew_lend_no_more(struct prefork *pool);
void crew_place_suspects(struct prefork *pool);

/* pool_crew_watch.c: likewise */
#define CREW_REPLACE_MS                                                                                      \
    100 /* a condemned child may be absolved for so long before another takes its place                      \
         */
void crew_watch(struct slot *slot);
/* A running job is to stop: ends its waits. */
void crew_tell(struct slot *slot, const struct note *note, bool cancelled);
/* A job that had been given up has ended by itself. False: there is none. */
bool crew_absolve(struct slot *slot);

/* pool_place.c */
void note_push(struct note_list *list, struct note *note);
void note_remove(struct note_list *list, struct note *note);
/* Gives what waits to children that may have it. */
void place_backlog(struct prefork *pool);
void place_learn(struct prefork *pool, const struct note *note, double runtime);

/* Into the backlog, the deepest first; `again`: before those of its depth, for it came before them. */
void place_wait(struct prefork *pool, struct note *note, bool again);

/* pool_lend.c */
/* The child has said something: it may have begun to wait, or have gone on. */
void lend_look(struct slot *slot);
/* Its task still waits: its lane may carry others. */
bool lend_waits(struct slot *slot);
/* A job may begin and no child is there for it: one more is made, up to as many as wait. */
void lend_child(struct prefork *pool);
/* A job of a crew says whether it waits. */
void lend_note(struct slot *slot, struct note *note, bool waits);
/* It is not given any more. */
void lend_end(struct slot *slot, struct note *note);
/* How many children there are to be. */
int lend_children(const struct prefork *pool);
void lend_on_thrift(uv_timer_t *timer);

/* pool_watch.c */
/* The tick runs while there is something to watch; at least every `ms` from now on. */
void watch_within(struct prefork *pool, uint64_t ms);
/* A job was given to this slot. */
void watch_slot(struct slot *slot);
void watch_on_tick(uv_timer_t *timer);
/* Does it begin nothing of what it was given, although nothing runs there (`runs`)? Then all of it goes to
 * others, and it is killed: true. */
bool watch_deaf(struct slot *slot, bool runs);
#define WATCH_QUICK_MS 2  /* jobs wait behind others */
#define WATCH_CLOSE_MS 10 /* something has begun that was not told yet */
#define WATCH_LIMIT_MS 20 /* limits and kills that are due */
#define WATCH_MEMORY_MS 100
#define WATCH_DEAF_MS 2000       /* an idle child begins what it is given in far less */
#define WATCH_SHORT_NS 10000000u /* a job that ran less has not filled the memory */
static inline bool watch_passed(double limit, uint64_t ran_ns)
{
    return limit > 0 && (double)ran_ns * 1e-9 >= limit;
}
/* Looks at the child's memory, now and then. By how much it is over its cap; 0: it is not, or nobody looked.
 */
size_t watch_memory_over(struct slot *slot);

/* pool_output.c */
bool output_open(struct slot *slot, int which, int fd);
/* Bytes that the child (or a read) brought, written by `note`. */
void output_feed(struct slot *slot, int which, struct note *note, umbel_str bytes);
/* Of a crew, whose lines belong to no job: tells what was dropped in a second that is over. */
void output_watch(struct slot *slot);
/* The job is over: what it left without a newline is a line. */
void output_end_job(struct slot *slot, struct note *note);
/* The child is gone: reads what is left, belonging to `note`, and closes. */
void output_close(struct slot *slot, struct note *note);

#endif
