/* lanes_test.c: who may begin while others wait. */
#include <criterion/criterion.h>
#include "worker/lanes.h"

enum { SEATS = 80 };

struct world {
    struct lanes lanes;
    struct lane_seat seats[SEATS];
};

static bool begins(struct world *world, int seat, int depth)
{
    struct lane_seat *below;
    if (!lanes_may_begin(&world->lanes, depth, &below))
        return false;
    lanes_take(&world->lanes, &world->seats[seat], depth, below);
    return true;
}

static void waits(struct world *world, int seat, bool does)
{
    lanes_wait(&world->lanes, &world->seats[seat], world->seats[seat].depth, does);
}

Test(lanes, as_many_run_as_there_are_lanes)
{
    struct world world = {.lanes = {.width = 2}};
    cr_assert(begins(&world, 0, 0));
    cr_assert(begins(&world, 1, 0));
    cr_assert(!begins(&world, 2, 0));
    cr_assert(!begins(&world, 2, 5), "nobody waits, so nothing is lent");
    lanes_leave(&world.lanes, &world.seats[0]);
    cr_assert(begins(&world, 2, 5));
}

Test(lanes, one_that_waits_carries_only_what_is_deeper)
{
    struct world world = {.lanes = {.width = 1}};
    cr_assert(begins(&world, 0, 3));
    waits(&world, 0, true);
    cr_assert(!begins(&world, 1, 3));
    cr_assert(!begins(&world, 1, 0));
    cr_assert(begins(&world, 1, 4));
    cr_assert(!begins(&world, 2, 9), "its lane is taken now");
    waits(&world, 1, true);
    cr_assert(!begins(&world, 2, 4));
    cr_assert(begins(&world, 2, 5));
}

Test(lanes, one_that_goes_on_lends_nothing)
{
    struct world world = {.lanes = {.width = 1}};
    cr_assert(begins(&world, 0, 0));
    waits(&world, 0, true);
    waits(&world, 0, false);
    cr_assert(!begins(&world, 1, 1));
    cr_assert_eq(world.lanes.waiting, 0);
}

Test(lanes, the_deepest_that_fits_carries_it)
{
    struct world world = {.lanes = {.width = 2}};
    cr_assert(begins(&world, 0, 0) && begins(&world, 1, 0));
    waits(&world, 0, true);
    cr_assert(begins(&world, 2, 4), "on the first lane");
    waits(&world, 2, true);
    waits(&world, 1, true);
    cr_assert(begins(&world, 3, 5));
    cr_assert_eq(world.seats[3].below, &world.seats[2], "the other top is kept for what is less deep");
    cr_assert(begins(&world, 4, 1));
    cr_assert_eq(world.seats[4].below, &world.seats[1]);
}

Test(lanes, a_seat_may_leave_from_under_another)
{
    struct world world = {.lanes = {.width = 1}};
    cr_assert(begins(&world, 0, 0));
    waits(&world, 0, true);
    cr_assert(begins(&world, 1, 1));
    waits(&world, 1, true);
    cr_assert(begins(&world, 2, 2));
    lanes_leave(&world.lanes, &world.seats[1]);
    cr_assert_eq(world.seats[2].below, &world.seats[0]);
    lanes_leave(&world.lanes, &world.seats[0]);
    cr_assert_eq(world.lanes.stacks, 1);
    cr_assert_eq(world.lanes.waiting, 0);
    lanes_leave(&world.lanes, &world.seats[2]);
    lanes_leave(&world.lanes, &world.seats[2]);
    cr_assert_eq(world.lanes.stacks, 0);
    cr_assert_null(world.lanes.first);
}

Test(lanes, only_what_runs_undisturbed_is_followed)
{
    struct world world = {.lanes = {.width = 1}};
    cr_assert(begins(&world, 0, 2));
    cr_assert(lanes_may_follow(&world.seats[0], 0));
    waits(&world, 0, true);
    cr_assert(!lanes_may_follow(&world.seats[0], 9));
    cr_assert(begins(&world, 1, 3));
    cr_assert(!lanes_may_follow(&world.seats[1], 2), "below waits one of that depth");
    cr_assert(lanes_may_follow(&world.seats[1], 3));
}

/* However calls arrive: a tree of depth 12, two lanes, the worst order there is, shallow ones first. */
Test(lanes, no_more_wait_than_lanes_times_depth)
{
    struct world world = {.lanes = {.width = 2}};
    int seat = 0;
    for (bool more = true; more;) {
        more = false;
        for (int depth = 0; depth <= 12 && !more; depth++) {
            if (!begins(&world, seat, depth))
                continue;
            waits(&world, seat++, true);
            more = true;
        }
    }
    cr_assert_leq(world.lanes.waiting, 2 * 13);
    cr_assert_eq(world.lanes.stacks, 2);
}

Test(lanes, half_of_the_room_is_for_one_chain)
{
    struct world world = {.lanes = {.width = 8, .most = 8}};
    for (int i = 0; i < 4; i++) {
        cr_assert(begins(&world, i, i == 3 ? 6 : 1));
        waits(&world, i, true);
    }
    cr_assert(!begins(&world, 4, 0), "there are free lanes, but four wait");
    cr_assert(!begins(&world, 4, 6));
    cr_assert(begins(&world, 4, 7));
    waits(&world, 4, true);
    cr_assert(begins(&world, 5, 8));
}
