#include <criterion/criterion.h>
#include <string.h>

#include "common/buffer.h"

Test(buffer, grows_to_its_maximum_and_not_past_it)
{
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    for (int i = 0; i < 1000; i++)
        buffer_byte(&buffer, (uint8_t)i);
    cr_assert(!buffer.failed && buffer_length(&buffer) == 1000);
    buffer_byte(&buffer, 0);
    cr_assert(buffer.failed && buffer_length(&buffer) == 1000);
    buffer_clear(&buffer);
    buffer_text(&buffer, "again");
    cr_assert(!buffer.failed && buffer_length(&buffer) == 5);
    buffer_fini(&buffer);
}

Test(buffer, failure_is_sticky)
{
    struct buffer buffer;
    buffer_init(&buffer, 4);
    buffer_text(&buffer, "12345");
    buffer_text(&buffer, "1");
    cr_assert(buffer.failed && buffer_length(&buffer) == 0);
    cr_assert_null(buffer_room(&buffer, 1));
    buffer_fini(&buffer);
}

Test(buffer, what_is_taken_makes_room)
{
    struct buffer buffer;
    buffer_init(&buffer, 300);
    for (int round = 0; round < 1000; round++) {
        uint8_t block[100];
        memset(block, round & 0xFF, sizeof block);
        buffer_add(&buffer, block, sizeof block);
        buffer_add(&buffer, block, sizeof block);
        cr_assert_eq(buffer_head(&buffer)[0], round & 0xFF);
        buffer_take(&buffer, 150);
        cr_assert(buffer_length(&buffer) == 50 && buffer_head(&buffer)[49] == (round & 0xFF));
        buffer_take(&buffer, 50);
    }
    cr_assert(!buffer.failed && buffer.size <= 512);
    buffer_fini(&buffer);
}

Test(buffer, a_stream_that_is_never_empty_stays_bounded)
{
    struct buffer buffer;
    buffer_init(&buffer, 1 << 20);
    uint8_t next_in = 0, next_out = 0;
    for (int round = 0; round < 20000; round++) {
        for (int i = 0; i < 7; i++)
            buffer_byte(&buffer, next_in++);
        for (; buffer_length(&buffer) > 5; buffer_take(&buffer, 1))
            cr_assert_eq(buffer_head(&buffer)[0], next_out++);
    }
    cr_assert_leq(buffer.size, 256);
    buffer_fini(&buffer);
}

Test(buffer, formats)
{
    struct buffer buffer;
    buffer_init(&buffer, SIZE_MAX);
    buffer_format(&buffer, "%s-%d", "queue", 7);
    buffer_format(&buffer, "%0500d", 1);
    cr_assert(buffer_length(&buffer) == 507 && memcmp(buffer_head(&buffer), "queue-7000", 10) == 0);
    buffer_fini(&buffer);
}

Test(buffer, one_that_begins_in_borrowed_memory_moves_when_that_is_full)
{
    char here[16];
    struct buffer buffer;
    buffer_begin(&buffer, here, sizeof here, 100);
    buffer_text(&buffer, "0123456789");
    cr_assert_eq((char *)buffer_head(&buffer), here);
    buffer_take(&buffer, 2);
    buffer_text(&buffer, "abcdefghijklmnop");
    cr_assert(!buffer.failed && (char *)buffer_head(&buffer) != here);
    cr_assert(buffer_length(&buffer) == 24 &&
              memcmp(buffer_head(&buffer), "23456789abcdefghijklmnop", 24) == 0);
    cr_assert_eq(memcmp(here, "0123456789", 10), 0, "what was lent is left alone");
    for (int i = 0; i < 10; i++)
        buffer_text(&buffer, "0123456789");
    cr_assert(buffer.failed, "its maximum holds");
    buffer_fini(&buffer);
}

Test(buffer, one_that_is_given_no_more_fails_when_borrowed_memory_is_full)
{
    char here[16];
    struct buffer buffer;
    buffer_begin(&buffer, here, sizeof here, sizeof here);
    buffer_text(&buffer, "0123456789");
    buffer_text(&buffer, "0123456789");
    cr_assert(buffer.failed && buffer_length(&buffer) == 10 && (char *)buffer_head(&buffer) == here);
}
