#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "common/arena.h"

Test(arena, memory_is_aligned_and_distinct)
{
    struct arena arena;
    arena_init(&arena, 0);
    char *first = arena_alloc(&arena, 1), *second = arena_alloc(&arena, 100000),
         *third = arena_alloc(&arena, 3);
    cr_assert((uintptr_t)first % 16 == 0 && (uintptr_t)second % 16 == 0 && (uintptr_t)third % 16 == 0);
    memset(second, 1, 100000);
    *first = 2;
    memset(third, 3, 3);
    cr_assert(second[0] == 1 && second[99999] == 1);
    arena_fini(&arena);
}

Test(arena, the_limit_is_kept_and_survived)
{
    struct arena arena;
    arena_init(&arena, 1000);
    cr_assert_not_null(arena_alloc(&arena, 900));
    cr_assert_null(arena_alloc(&arena, 100));
    cr_assert_not_null(arena_alloc(&arena, 10));
    cr_assert_null(arena_alloc(&arena, SIZE_MAX));
    arena_reset(&arena);
    cr_assert_not_null(arena_alloc(&arena, 900));
    arena_fini(&arena);
}

Test(arena, a_reset_keeps_one_small_chunk)
{
    struct arena arena;
    arena_init(&arena, 0);
    void *first = arena_alloc(&arena, 100);
    arena_reset(&arena);
    cr_assert_eq(arena_alloc(&arena, 100), first);
    arena_alloc(&arena, 1000000);
    arena_reset(&arena);
    cr_assert_eq(arena_alloc(&arena, 100), first);
    arena_fini(&arena);
}

Test(arena, copies_end_in_nul)
{
    struct arena arena;
    arena_init(&arena, 0);
    cr_assert_str_eq(arena_copy(&arena, "abcdef", 3), "abc");
    umbel_str none = arena_str(&arena, (umbel_str){NULL, 0});
    cr_assert(none.data && none.size == 0 && none.data[0] == '\0');
    arena_fini(&arena);
}
