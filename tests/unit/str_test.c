#include <criterion/criterion.h>

#include "common/str.h"
#include "common/utf8.h"

static bool utf8(const char *data, size_t size)
{
    return str_utf8((umbel_str){data, size});
}
#define UTF8(literal) utf8(literal, sizeof(literal) - 1)

Test(str, well_formed_utf8_passes)
{
    cr_assert(UTF8("") && UTF8("plain ascii, longer than a word") && UTF8("a\0b"));
    cr_assert(UTF8("\xC2\x80") && UTF8("\xDF\xBF") && UTF8("\xE0\xA0\x80") && UTF8("\xED\x9F\xBF"));
    cr_assert(UTF8("\xEE\x80\x80") && UTF8("\xF0\x90\x80\x80") && UTF8("\xF4\x8F\xBF\xBF"));
    cr_assert(UTF8("12345678\xE2\x82\xAC"));
}

Test(str, ill_formed_utf8_does_not)
{
    cr_assert(!UTF8("\x80") && !UTF8("\xC0\x80") && !UTF8("\xC1\xBF") && !UTF8("\xC2"));
    cr_assert(!UTF8("\xE0\x9F\xBF") && !UTF8("\xED\xA0\x80") && !UTF8("\xE2\x82"));
    cr_assert(!UTF8("\xF0\x8F\xBF\xBF") && !UTF8("\xF4\x90\x80\x80") && !UTF8("\xF5\x80\x80\x80"));
    cr_assert(!UTF8("12345678\xFF") && !UTF8("1234567\xE2\x82 "));
}

/* One sequence after the other, as Unicode defines them. */
static bool utf8_slowly(const uint8_t *p, size_t left)
{
    for (size_t size; left; p += size, left -= size)
        if (!(size = utf8_sequence(p, left)))
            return false;
    return true;
}

Test(str, words_of_ascii_change_no_answer)
{
    static const uint8_t odd[] = {'a', 0x80, 0xC2, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0xFF, 0};
    uint32_t random = 1;
    size_t good = 0;
    for (int round = 0; round < 200000; round++) {
        uint8_t text[40];
        size_t size = (size_t)round % sizeof text;
        memset(text, 'a', sizeof text);
        for (int i = 0; i < 4; i++) {
            random = random * 1664525 + 1013904223;
            size_t at = (random >> 8) % (sizeof text - 3);
            if (random >> 30)
                text[at] = odd[(random >> 20) % sizeof odd];
            else
                memcpy(text + at, (random >> 20) % 2 ? "\xE2\x82\xAC" : "\xC3\xA9z", 3);
        }
        bool slowly = utf8_slowly(text, size);
        cr_assert_eq(utf8((const char *)text, size), slowly, "round %d", round);
        good += slowly;
    }
    cr_assert(good > 1000 && good < 199000);
}

Test(str, taking_never_goes_past_the_end)
{
    umbel_str payload = STR("abcd"), text;
    uint16_t two;
    cr_assert(str_take_bytes(&payload, &two, 2));
    cr_assert(!str_take_bytes(&payload, &(uint32_t){0}, 4));
    cr_assert(!str_take(&payload, 3, &text));
    cr_assert(str_take(&payload, 2, &text));
    cr_assert(str_equal(text, STR("cd")));
    cr_assert(str_take(&payload, 0, &text));
    payload = STR_NONE;
    cr_assert(str_take(&payload, 0, &text) && !payload.data && !text.data);
}
