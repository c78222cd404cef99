/* frame_test.c: frames as they are written and as a peer may forge them. */
#include <criterion/criterion.h>
#include "worker/frame.h"

Test(frame, what_is_put_is_read_back)
{
    struct frame_pieces pieces = {
        .kind = FRAME_DONE, .number = 7, .piece = {STR("ab"), STR_NONE, STR("cde")}};
    struct frame frame;
    struct buffer out;
    size_t used = 0;
    buffer_init(&out, 1000);
    frame_add(&out, &pieces);
    frame_add(&out, &pieces);
    cr_assert_eq(buffer_length(&out), 2 * frame_size(&pieces));
    cr_assert_eq(frame_read(buffer_head(&out), buffer_length(&out), &frame, &used), UMBEL_OK);
    cr_assert_eq(used, frame_size(&pieces));
    cr_assert_eq(frame.kind, FRAME_DONE);
    cr_assert_eq(frame.number, 7);
    cr_assert(str_equal(frame.payload, STR("abcde")));
    buffer_fini(&out);
}

Test(frame, a_payload_may_be_appended_while_the_frame_is_open)
{
    struct frame frame;
    struct buffer out;
    size_t used;
    buffer_init(&out, 1 << 20);
    buffer_text(&out, "before");
    size_t opened = frame_open(&out, FRAME_RUN, 3);
    for (int i = 0; i < 10000; i++)
        buffer_text(&out, "payload ");
    frame_close(&out, opened);
    buffer_take(&out, 6);
    cr_assert_eq(frame_read(buffer_head(&out), buffer_length(&out), &frame, &used), UMBEL_OK);
    cr_assert_eq(frame.payload.size, 80000);
    cr_assert_eq(used, buffer_length(&out));
    buffer_fini(&out);
}

Test(frame, a_part_of_a_frame_asks_for_more)
{
    struct frame_pieces pieces = {.kind = FRAME_LOG, .piece = {STR("hello")}};
    uint8_t bytes[64];
    struct frame frame;
    size_t used;
    frame_put(bytes, &pieces);
    for (size_t size = 0; size < frame_size(&pieces); size++)
        cr_assert_eq(frame_read(bytes, size, &frame, &used), UMBEL_BUSY);
}

Test(frame, a_forged_head_is_refused)
{
    struct frame_head good = {.size = sizeof good, .version = FRAME_VERSION, .kind = FRAME_BELL};
    struct frame_head rows[] = {good, good, good, good, good};
    struct frame frame;
    size_t used;
    rows[0].size = 3;
    rows[1].size = FRAME_SIZE_MAX + 1;
    rows[2].version = FRAME_VERSION + 1;
    rows[3].kind = 0;
    rows[4].kind = FRAME_SLOTS + 1;
    cr_assert_eq(frame_read((uint8_t *)&good, sizeof good, &frame, &used), UMBEL_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(frame_read((uint8_t *)&rows[i], sizeof rows[i], &frame, &used), UMBEL_PROTOCOL,
                     "row %zu", i);
}
