#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/hash.h"

enum { SEEDS = 1000 };

static uint64_t seed_at(uint64_t i)
{
    return (i + 1) * 0xD1B54A32D192ED03u;
}

/* Under how many seeds two names of sixteen bytes collide that differ in one bit of the first word, and in
 * the second word in the bits that this one moves where it is multiplied by an odd number. */
static int collisions(uint64_t first, uint64_t second)
{
    uint64_t here[2], there[2];
    int count = 0;
    memcpy(here, "math.add of many", sizeof here);
    there[0] = here[0] ^ first;
    there[1] = here[1] ^ second;
    for (uint64_t i = 0; i < SEEDS; i++)
        count += hash_name((umbel_str){(const char *)here, sizeof here}, seed_at(i)) ==
                 hash_name((umbel_str){(const char *)there, sizeof there}, seed_at(i));
    return count;
}

Test(hash, names_that_collide_under_one_seed_do_not_under_the_next)
{
    for (int bit = 56; bit < 64; bit++)
        for (int shift = 24; shift < 40; shift++) {
            uint64_t first = (uint64_t)1 << bit;
            cr_assert_leq(collisions(first, first), 1, "bit %d", bit);
            cr_assert_leq(collisions(first, first | first >> shift), 1, "bit %d, by %d", bit, shift);
        }
}

Test(hash, ids_that_only_count_up_fill_a_table_evenly)
{
    enum { COUNT = 1 << 16, CHAIN = 12 };
    static unsigned char chains[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        char id[48];
        int size = snprintf(id, sizeof id, "00000000-0000-4000-8000-%012x", i);
        unsigned char *chain = &chains[hash_name((umbel_str){id, (size_t)size}, 0) % COUNT];
        cr_assert_lt(++*chain, CHAIN);
    }
}

Test(hash, what_is_behind_a_name_is_no_part_of_it)
{
    for (size_t size = 0; size < 20; size++) {
        char one[20], other[20];
        memset(one, 'a', sizeof one);
        memset(other, 'b', sizeof other);
        memcpy(other, one, size);
        cr_assert_eq(hash_name((umbel_str){one, size}, 7), hash_name((umbel_str){other, size}, 7));
    }
    cr_assert_neq(hash_name(STR("a"), 7), hash_name(STR("a\0"), 7));
}
