/* tls_option.c: see tls_option.h. */
#include "broker/tls_option.h"

#include "common/str.h"

enum kind { CA, CERT, KEY, SERVER_NAME, VERIFY };

static const struct {
    const char *name;
    enum kind kind;
} options[] = {
    {"ca", CA},
    {"cert", CERT},
    {"key", KEY},
    {"server_name", SERVER_NAME},
    {"verify", VERIFY},
    {"ssl_ca_certs", CA}, /* Celery's */
    {"ssl_certfile", CERT},
    {"ssl_keyfile", KEY},
    {"ssl_cert_reqs", VERIFY},
};

static int find(umbel_str name)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (str_equal(str_of(options[i].name), name))
            return (int)options[i].kind;
    return -1;
}

static int set_verify(struct stream_tls *tls, umbel_str text, bool optional, const char **why)
{
    static const struct {
        umbel_str text;
        bool verify, optional;
    } rows[] = {
        {STR("none"), false, false},    {STR("CERT_NONE"), false, false},
        {STR("required"), true, false}, {STR("CERT_REQUIRED"), true, false},
        {STR("optional"), true, true},  {STR("CERT_OPTIONAL"), true, true},
        {STR("peer"), true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (str_equal(rows[i].text, text) && (optional || !rows[i].optional)) {
            tls->verify = rows[i].verify;
            return UMBEL_OK;
        }
    }
    *why = "verify is none or peer";
    return UMBEL_BAD_URL;
}

bool tls_option_is(umbel_str name)
{
    return find(name) >= 0;
}

int tls_option_read(struct arena *arena, struct stream_tls *tls, const struct url_option *option,
                    bool optional, const char **why)
{
    int kind = find(option->name);
    if (kind == VERIFY)
        return set_verify(tls, option->value, optional, why);
    const char **const files[] = {[CA] = &tls->ca_file,
                                  [CERT] = &tls->cert_file,
                                  [KEY] = &tls->key_file,
                                  [SERVER_NAME] = &tls->server_name};
    *files[kind] = arena_copy(arena, option->value.data, option->value.size);
    return *files[kind] ? UMBEL_OK : UMBEL_NO_MEMORY;
}
