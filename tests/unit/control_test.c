/* Remote control as far as it is decided without a wire: reading a request, whom it concerns, names, revoked
 * ids. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "broker/amqp_box.h"
#include "common/clock.h"
#include "common/str.h"
#include "worker/control.h"
#include "worker/revoked.h"

static struct control_request request;
static struct arena arena;
static const char *why;

static void setup(void)
{
    arena_init(&arena, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(control, .init = setup, .fini = teardown);

static int read_typed(const char *body, const char *type)
{
    struct message msg;
    message_init(&msg);
    msg.content_type = str_of(type);
    msg.body = str_of(body);
    return control_request_read(&arena, &msg, &request, &why);
}

static int read_json(const char *body)
{
    return read_typed(body, "application/json");
}

/* ---- reading
 * ---------------------------------------------------------------------------------------------------- */

Test(control, a_request_of_celery_5_2_6_is_read)
{
    cr_assert_eq(
        read_json(
            "{\"method\":\"ping\",\"arguments\":{},\"destination\":null,\"pattern\":null,\"matcher\":null,"
            "\"ticket\":\"K\",\"reply_to\":{\"exchange\":\"reply.celery.pidbox\",\"routing_key\":\"OID\"}}"),
        UMBEL_OK);
    cr_assert(str_equal(request.method, STR("ping")));
    cr_assert(str_equal(request.ticket, STR("K")));
    cr_assert(str_equal(request.reply_exchange, STR("reply.celery.pidbox")));
    cr_assert(str_equal(request.reply_key, STR("OID")));
    cr_assert(control_request_concerns(&request, "w@h"));
}

Test(control, a_cast_wants_no_reply)
{
    cr_assert_eq(read_json("{\"method\":\"revoke\",\"arguments\":{\"task_id\":\"a\"}}"), UMBEL_OK);
    cr_assert_eq(request.reply_key.size, 0);
}

Test(control, what_is_no_request_is_refused)
{
    static const char *const bodies[] = {"",
                                         "{",
                                         "null",
                                         "[]",
                                         "17",
                                         "\"ping\"",
                                         "{\"method\":5}",
                                         "{\"method\":\"\"}",
                                         "{\"methods\":\"ping\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        cr_assert_neq(read_json(bodies[i]), UMBEL_OK, "%s", bodies[i]);
    cr_assert_neq(read_typed("{\"method\":\"ping\"}", "application/x-python-serialize"), UMBEL_OK);
}

Test(control, parts_of_a_wrong_kind_count_as_absent)
{
    cr_assert_eq(
        read_json(
            "{\"method\":\"ping\",\"arguments\":[1],\"destination\":\"w@h\",\"pattern\":7,\"matcher\":{},"
            "\"ticket\":[],\"reply_to\":\"x\"}"),
        UMBEL_OK);
    cr_assert_null(request.arguments);
    cr_assert_eq(request.reply_key.size, 0);
    cr_assert(control_request_concerns(&request, "anyone@h"));
}

Test(control, a_clock_beyond_belief_is_not_believed)
{
    static const struct {
        int64_t sent;
        uint64_t read;
    } rows[] = {{5, 5}, {0, 0}, {-1, 0}, {INT64_MAX, 0}, {(int64_t)1 << 53, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message msg;
        umbel_value clock = {.kind = UMBEL_INT, .as.integer = rows[i].sent};
        message_init(&msg);
        msg.body = STR("{\"method\":\"ping\"}");
        message_set_extra(&arena, &msg, STR("clock"), &clock);
        cr_assert_eq(control_request_read(&arena, &msg, &request, &why), UMBEL_OK);
        cr_assert_eq(request.clock, rows[i].read);
    }
}

/* ---- whom it concerns
 * ------------------------------------------------------------------------------------------- */

Test(control, a_request_concerns_those_it_names_or_describes)
{
    static const struct {
        const char *body;
        bool concerns;
    } rows[] = {
        {"{\"method\":\"m\"}", true},
        {"{\"method\":\"m\",\"destination\":[]}", true},
        {"{\"method\":\"m\",\"destination\":[\"w1@box\"]}", true},
        {"{\"method\":\"m\",\"destination\":[\"w2@box\",5,\"w1@box\"]}", true},
        {"{\"method\":\"m\",\"destination\":[\"w2@box\"]}", false},
        {"{\"method\":\"m\",\"destination\":[\"w1@bo\"]}", false},
        {"{\"method\":\"m\",\"pattern\":\"w*\",\"matcher\":\"glob\"}", true},
        {"{\"method\":\"m\",\"pattern\":\"x*\",\"matcher\":\"glob\"}", false},
        {"{\"method\":\"m\",\"pattern\":\"w[0-9]@\",\"matcher\":\"pcre\"}", true},
        {"{\"method\":\"m\",\"pattern\":\"box\",\"matcher\":\"pcre\"}", false},
        {"{\"method\":\"m\",\"pattern\":\"w*\",\"matcher\":\"other\"}", false},
        {"{\"method\":\"m\",\"destination\":[\"w2@box\"],\"pattern\":\"*@box\",\"matcher\":\"glob\"}", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(read_json(rows[i].body), UMBEL_OK);
        cr_assert_eq(control_request_concerns(&request, "w1@box"), rows[i].concerns, "%s", rows[i].body);
    }
}

Test(control, patterns_match_as_pythons_fnmatch)
{
    static const struct {
        const char *pattern, *name;
        bool matches;
    } rows[] = {
        {"", "", true},          {"*", "", true},        {"*", "a/b", true},   {"a*c", "abbc", true},
        {"a*c", "abbd", false},  {"?", "a", true},       {"?", "", false},     {"[ab]x", "bx", true},
        {"[!ab]x", "bx", false}, {"[!ab]x", "cx", true}, {"[a-c]", "b", true}, {"[a-c]", "d", false},
        {"[]]", "]", true},      {"[", "[", true},       {"a[", "a[", true},   {"*@*", "w@h", true},
        {"**a**", "bab", true},  {"a", "ab", false},     {"ab", "a", false},   {"*b*c", "abcbc", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(control_glob(str_of(rows[i].pattern), str_of(rows[i].name)), rows[i].matches, "%s %s",
                     rows[i].pattern, rows[i].name);
}

Test(control, a_pattern_made_to_take_for_ever_does_not, .timeout = 5)
{
    char pattern[4001], name[201];
    for (int i = 0; i < 4000; i += 2)
        memcpy(pattern + i, "*a", 2);
    memset(name, 'a', 200);
    pattern[3999] = 'b';
    pattern[4000] = name[200] = '\0';
    cr_assert_not(control_glob(str_of(pattern), str_of(name)));
    cr_assert_not(control_regex(STR("(a{1,900}){1,900}"), name));
    cr_assert_not(control_regex(STR("(a*)\\1\\1b"), name));
    cr_assert_not(control_regex(STR("(((((a*)*)*)*)*)*b"), name));
    cr_assert_not(control_regex(STR("/++++++++++++++++++++++++++++(u|v).*@"), name),
                  "each + doubles what regcomp keeps");
    cr_assert_not(control_regex(STR("("), name));
}

/* ---- tables and names
 * ------------------------------------------------------------------------------------------- */

Test(control, methods_are_found_by_both_their_names)
{
    cr_assert_not_null(control_find(STR("active")));
    cr_assert_eq(control_find(STR("active")), control_find(STR("dump_active")));
    cr_assert_not_null(control_find(STR("revoke")));
    cr_assert_null(control_find(STR("activ")));
    cr_assert_null(control_find(STR("")));
}

Test(control, a_taken_name_gets_a_number)
{
    static const struct {
        const char *name;
        uint32_t number;
        const char *numbered;
    } rows[] = {{"umbel@box", 0, "umbel@box"},
                {"umbel@box", 2, "umbel-2@box"},
                {"umbel", 3, "umbel-3"},
                {"a@b@c", 2, "a-2@b@c"}};
    char out[MAILBOX_NAME_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        amqp_box_number_name(out, sizeof out, rows[i].name, rows[i].number);
        cr_assert_str_eq(out, rows[i].numbered);
    }
}

/* ---- revoked ids
 * ------------------------------------------------------------------------------------------------ */

Test(revoked, an_id_is_held_until_its_time)
{
    struct revoked revoked;
    revoked_init(&revoked);
    cr_assert_not(revoked_holds(&revoked, STR("a"), 0));
    cr_assert(revoked_add(&revoked, &(struct backend_revocation){STR("a"), 10}));
    cr_assert(revoked_holds(&revoked, STR("a"), 9));
    cr_assert_not(revoked_holds(&revoked, STR("a"), 10));
    cr_assert_not(revoked_holds(&revoked, STR("b"), 9));
    cr_assert_not(revoked_add(&revoked, &(struct backend_revocation){STR("a"), 20}),
                  "known, and kept longer");
    cr_assert(revoked_holds(&revoked, STR("a"), 19));
    revoked_add(&revoked, &(struct backend_revocation){STR("a"), 5});
    cr_assert(revoked_holds(&revoked, STR("a"), 19), "never shorter");
    revoked_fini(&revoked);
}

Test(revoked, what_has_run_out_is_forgotten)
{
    struct revoked revoked;
    revoked_init(&revoked);
    for (int i = 0; i < 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "id-%d", i);
        revoked_add(&revoked, &(struct backend_revocation){str_of(id), i % 2 ? 10 : 20});
    }
    revoked_tidy(&revoked, 15);
    cr_assert_eq(revoked_count(&revoked), 50);
    cr_assert(revoked_holds(&revoked, STR("id-98"), 15));
    revoked_add(&revoked, &(struct backend_revocation){STR("last"), 20});
    revoked_tidy(&revoked, 25);
    cr_assert_eq(revoked_count(&revoked), 0);
    cr_assert(revoked_add(&revoked, &(struct backend_revocation){STR("again"), 30}));
    revoked_fini(&revoked);
}

Test(revoked, there_are_never_more_than_the_maximum_and_the_oldest_go)
{
    struct revoked revoked;
    char id[300];
    revoked_init(&revoked);
    for (int i = 0; i < BACKEND_REVOKED_MAX + 10; i++) {
        snprintf(id, sizeof id, "id-%d", i);
        revoked_add(&revoked, &(struct backend_revocation){str_of(id), 10});
    }
    cr_assert_eq(revoked_count(&revoked), BACKEND_REVOKED_MAX);
    cr_assert_not(revoked_holds(&revoked, STR("id-9"), 0));
    cr_assert(revoked_holds(&revoked, STR("id-10"), 0));
    memset(id, 'x', sizeof id);
    cr_assert_not(revoked_add(&revoked, &(struct backend_revocation){{id, sizeof id}, 10}),
                  "longer than any id");
    cr_assert_not(revoked_add(&revoked, &(struct backend_revocation){STR(""), 10}));
    revoked_fini(&revoked);
}
