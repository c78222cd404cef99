/* nesting_test.c: where calls of tasks go, how much is asked for of them, what travels on the line. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "broker/parent_wire.h"
#include "common/str.h"
#include "worker/nest.h"
#include "worker/nest_roster.h"
#include "worker/nest_route.h"
#include "worker/nested_flow.h"
#include "worker/waiting_board.h"

/* ---- routes ---- */

static int depth_of(umbel_value value)
{
    struct arena arena;
    struct message msg;
    arena_init(&arena, 0);
    message_init(&msg);
    message_set_extra(&arena, &msg, STR("umbel-depth"), &value);
    int depth = nest_depth(&msg);
    arena_fini(&arena);
    return depth;
}

Test(nest_route, a_depth_is_a_whole_number_that_makes_sense)
{
    struct message msg;
    message_init(&msg);
    cr_assert_eq(nest_depth(&msg), 0);
    cr_assert_eq(depth_of((umbel_value){.kind = UMBEL_INT, .as.integer = 3}), 3);
    cr_assert_eq(depth_of((umbel_value){.kind = UMBEL_INT, .as.integer = -3}), 0);
    cr_assert_eq(depth_of((umbel_value){.kind = UMBEL_INT, .as.integer = INT64_MAX}), NEST_DEPTH_MAX);
    cr_assert_eq(depth_of((umbel_value){.kind = UMBEL_STRING, .as.str = STR("9")}), 0);
}

Test(nest_route, a_nested_queue_has_a_base_and_no_nested_queue_of_its_own)
{
    struct arena arena;
    arena_init(&arena, 0);
    cr_assert(str_equal(nest_queue(&arena, STR("celery")), STR("celery.nested")));
    cr_assert(str_equal(nest_base(STR("celery.nested")), STR("celery")));
    cr_assert(str_equal(nest_base(STR("celery")), STR("celery")));
    cr_assert(!nest_is_nested(STR(".nested")));
    arena_fini(&arena);
}

Test(nest_route, deeper_is_before_up_to_the_broker_s_highest)
{
    cr_assert_eq(nest_priority(1), 1);
    cr_assert_eq(nest_priority(32), 32);
    cr_assert_eq(nest_priority(900), 32);
}

/* ---- credit ---- */

Test(nested_flow, more_is_asked_for_when_all_is_in_hand_and_a_lane_is_free)
{
    static const struct {
        struct nested_facts facts;
        uint32_t credit;
        bool paused;
        uint32_t more;
        const char *why;
    } rows[] = {
        {{1, 0, 0, 1}, 2, false, 0, "not all is in hand"},
        {{2, 1, 1, 1}, 2, false, 0, "the lane is busy"},
        {{2, 2, 0, 1}, 2, false, 1, "all of it waits"},
        {{2, 2, 0, 1}, 2, true, 1, "and that is no question of time"},
        {{20, 2, 0, 1}, 20, false, 12, "most may not begin: the next may be among many"},
        {{20, 2, 0, 1}, 20, true, 0, "but not at once again"},
        {{5000, 2, 0, 1}, 5000, false, 0, "there is an end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(nested_flow_decide(&rows[i].facts, rows[i].credit, rows[i].paused), rows[i].more, "%s",
                     rows[i].why);
}

Test(nested_flow, a_chain_of_calls_gets_all_the_credit_there_is_in_few_steps)
{
    uint32_t credit = 2;
    for (int consumers = 0; consumers < 64; consumers++) {
        struct nested_facts facts = {credit, credit, 0, 1};
        credit += nested_flow_decide(&facts, credit, true);
    }
    cr_assert_geq(credit, 2048);
}

/* ---- the nest ---- */

static bool serves_nothing(void *self, umbel_str queue)
{
    (void)self, (void)queue;
    return false;
}

static void closed(void *self)
{
    *(bool *)self = true;
}

/* A nest with one line, whose other end is ours. */
struct line {
    struct loop loop;
    struct nest *nest;
    struct nest_guest *guest;
    int end;
};

static void open_line(struct line *line, const struct nest_options *options)
{
    static const struct nest_events events = {.serves = serves_nothing};
    int ends[2];
    cr_assert_eq(loop_init(&line->loop), UMBEL_OK);
    cr_assert_eq(nest_new(&line->nest, &line->loop, options, &events, NULL), UMBEL_OK);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    line->end = ends[1];
    line->guest = nest_enter(line->nest, ends[0]);
    cr_assert(line->guest);
}

static void close_line(struct line *line)
{
    bool done = false;
    nest_leave(line->guest);
    nest_close(line->nest, 0, closed, &done);
    for (int i = 0; i < 1000 && !done; i++)
        uv_run(&line->loop.uv, UV_RUN_ONCE);
    cr_assert(done);
    loop_fini(&line->loop);
    close(line->end);
}

/* The backend owes an answer that nobody waits for any more; the leak checker says whether it was let go. */
Test(nest, a_line_that_left_before_its_answer_leaves_nothing_behind)
{
    struct nest_options options = {
        .broker = "memory://nest-left", .backend = "memory://nest-left", .worker_name = "w"};
    struct line line;
    struct buffer out;
    open_line(&line, &options);
    buffer_init(&out, 4096);
    size_t opened = parent_frame_open(&out, &(struct parent_frame){.kind = PARENT_WATCH, .token = 1});
    parent_put_text(&out, STR("an-id"));
    parent_frame_close(&out, opened);
    cr_assert_eq(send(line.end, buffer_head(&out), buffer_length(&out), 0), (ssize_t)buffer_length(&out));
    uv_run(&line.loop.uv, UV_RUN_NOWAIT);
    close_line(&line);
    buffer_fini(&out);
}

/* Writes calls until they are not read any more; answers how many bytes were. */
static size_t send_while_read(struct line *line, const struct buffer *frame, size_t most)
{
    size_t sent = 0;
    for (int idle = 0; idle < 100 && sent < most;) {
        size_t at = sent % buffer_length(frame);
        ssize_t size = send(line->end, buffer_head(frame) + at, buffer_length(frame) - at, 0);
        sent += size > 0 ? (size_t)size : 0;
        idle = size > 0 ? 0 : idle + 1;
        uv_run(&line->loop.uv, UV_RUN_NOWAIT);
    }
    return sent;
}

Test(nest, a_line_whose_large_calls_wait_for_the_broker_is_read_no_further)
{
    static const char body[1 << 20];
    struct nest_options options = {.broker = "amqp://127.0.0.1:1//", .worker_name = "w"};
    struct line line;
    struct buffer out, packed;
    struct message msg;
    open_line(&line, &options);
    message_init(&msg);
    msg.queue = STR("q");
    msg.body = (umbel_str){body, sizeof body};
    buffer_init(&packed, 4 << 20);
    buffer_init(&out, 4 << 20);
    cr_assert_eq(message_pack(&packed, &msg), UMBEL_OK);
    size_t opened = parent_frame_open(&out, &(struct parent_frame){.kind = PARENT_PUBLISH, .token = 1});
    buffer_add(&out, &(double){0}, sizeof(double));
    buffer_add(&out, buffer_head(&packed), buffer_length(&packed));
    parent_frame_close(&out, opened);
    size_t read = send_while_read(&line, &out, (size_t)100 << 20);
    cr_assert(read > (size_t)16 << 20 && read < (size_t)24 << 20, "%zu", read);
    close_line(&line);
    buffer_fini(&out);
    buffer_fini(&packed);
}

/* ---- the board ---- */

Test(waiting_board, one_bit_is_one_child_however_often_it_is_set)
{
    static struct waiting_board board;
    atomic_store(&board.most, 2);
    cr_assert(board_enter(&board, 3));
    cr_assert(board_enter(&board, 3));
    cr_assert(board_enter(&board, 700));
    cr_assert(!board_enter(&board, 4), "two wait");
    cr_assert(!board_waits(&board, 4));
    cr_assert(board_waits(&board, 700));
    board_leave(&board, 700);
    board_leave(&board, 700);
    cr_assert(board_enter(&board, 4));
}

enum { RACES = 20000 };

static struct waiting_board raced;
static _Atomic int lined_up;

/* Spinning, so that both go on in the same instant; giving way, in case there is but one processor. */
static void line_up(int round)
{
    atomic_fetch_add(&lined_up, 1);
    for (int spins = 0; atomic_load(&lined_up) < 2 * (round + 1); spins++)
        if (spins > 10000)
            sched_yield();
}

static void *enter_and_leave(void *arg)
{
    int slot = *(int *)arg;
    bool *won = calloc(RACES, sizeof *won);
    for (int i = 0; i < RACES; i++) {
        line_up(2 * i);
        won[i] = board_enter(&raced, slot);
        line_up(2 * i + 1);
        if (won[i])
            board_leave(&raced, slot);
    }
    return won;
}

Test(waiting_board, of_two_who_enter_at_once_the_last_place_is_ones, .timeout = 60)
{
    pthread_t threads[2];
    bool *won[2];
    int slots[] = {3, 700};
    atomic_store(&raced.most, 1);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, enter_and_leave, &slots[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], (void **)&won[i]);
    int none = 0, both = 0;
    for (int i = 0; i < RACES; i++) {
        none += !won[0][i] && !won[1][i];
        both += won[0][i] && won[1][i];
    }
    cr_assert(none == 0 && both == 0, "none %d, both %d", none, both);
    free(won[0]);
    free(won[1]);
}

/* ---- the line ---- */

Test(parent_wire, a_frame_comes_out_as_it_went_in)
{
    struct buffer out;
    struct parent_frame frame;
    size_t used;
    buffer_init(&out, 1 << 20);
    parent_frame_add(&out, &(struct parent_frame){.kind = PARENT_PUBLISHED,
                                                  .flags = 3,
                                                  .code = -7,
                                                  .token = UINT64_MAX,
                                                  .payload = STR("why not")});
    for (size_t size = 0; size < buffer_length(&out); size++)
        cr_assert_eq(parent_frame_read(buffer_head(&out), size, &frame, &used), UMBEL_BUSY);
    cr_assert_eq(parent_frame_read(buffer_head(&out), buffer_length(&out), &frame, &used), UMBEL_OK);
    cr_assert_eq(used, buffer_length(&out));
    cr_assert(frame.kind == PARENT_PUBLISHED && frame.flags == 3 && frame.code == -7);
    cr_assert_eq(frame.token, UINT64_MAX);
    cr_assert(str_equal(frame.payload, STR("why not")));
    buffer_fini(&out);
}

Test(parent_wire, a_frame_that_lies_is_none)
{
    uint8_t bytes[64] = {0};
    struct parent_frame frame;
    size_t used;
    cr_assert_eq(parent_frame_read(bytes, sizeof bytes, &frame, &used), UMBEL_PROTOCOL, "no size");
    memset(bytes, 0xff, sizeof bytes);
    cr_assert_eq(parent_frame_read(bytes, sizeof bytes, &frame, &used), UMBEL_PROTOCOL, "too large");
    bytes[0] = 24, bytes[1] = bytes[2] = bytes[3] = 0, bytes[4] = 99;
    cr_assert_eq(parent_frame_read(bytes, sizeof bytes, &frame, &used), UMBEL_PROTOCOL, "no such kind");
}

Test(parent_wire, texts_end_where_they_say_and_not_behind_the_payload)
{
    struct buffer out;
    umbel_str text;
    buffer_init(&out, 1000);
    parent_put_text(&out, STR("a"));
    parent_put_text(&out, STR(""));
    umbel_str payload = {(const char *)buffer_head(&out), buffer_length(&out)}, cut = payload;
    cr_assert(parent_take_text(&payload, &text) && str_equal(text, STR("a")));
    cr_assert(parent_take_text(&payload, &text) && text.size == 0);
    cr_assert(!parent_take_text(&payload, &text));
    cut.size = 4;
    cr_assert(!parent_take_text(&cut, &text));
    buffer_fini(&out);
}

/* ---- who waits for what ---- */

Test(nest_roster, several_lines_wait_for_one_result_and_leave_one_by_one)
{
    struct nest_roster roster;
    struct nest_tickets lines[3] = {0};
    nest_roster_init(&roster);
    for (int i = 0; i < 3; i++)
        cr_assert(nest_roster_add(&roster, &lines[i], STR("one"), i == 1));
    cr_assert(nest_roster_add(&roster, &lines[0], STR("one"), false));
    cr_assert(nest_roster_add(&roster, &lines[0], STR("two"), false));
    cr_assert_eq(lines[0].count, 2);
    cr_assert(nest_roster_watched(&roster, STR("one"), &lines[0]));
    cr_assert(!nest_roster_watched(&roster, STR("one"), &lines[1]));
    for (size_t left = 3; left > 0; left--) {
        size_t found = 0;
        for (struct nest_ticket *at = nest_roster_find(&roster, STR("one")); at; at = at->same)
            found++;
        cr_assert_eq(found, left);
        nest_roster_drop(&roster, nest_roster_find(&roster, STR("one")));
    }
    cr_assert_null(nest_roster_find(&roster, STR("one")));
    cr_assert_eq(lines[0].count + lines[1].count + lines[2].count, 1);
    nest_roster_drop(&roster, lines[0].newest);
    nest_roster_fini(&roster);
}
