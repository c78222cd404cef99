/* redis_server.c: see redis_server.h. */
#include "redis_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <ftw.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS_MAX 40

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, size) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static redisContext *try_connect(const struct redis_server *server)
{
    redisContext *context = redisConnectUnix(server->socket);
    if (context && !context->err)
        return context;
    if (context)
        redisFree(context);
    return NULL;
}

static void run(const struct redis_server *server)
{
    char port[16];
    const char *words[OPTIONS_MAX] = {
        "redis-server", "--port",       port,     "--bind", "127.0.0.1",    "--dir", server->folder,
        "--unixsocket", server->socket, "--save", "",       "--appendonly", "no"};
    size_t count = 13;
    snprintf(port, sizeof port, "%d", server->port);
    for (size_t i = 0; server->options && server->options[i] && count < OPTIONS_MAX - 1; i++)
        words[count++] = server->options[i];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!freopen("/dev/null", "w", stdout))
        _exit(126);
    execvp(words[0], (char **)words);
    _exit(127);
}

void redis_server_again(struct redis_server *server)
{
    redisContext *context = NULL;
    server->pid = fork();
    if (server->pid == 0)
        run(server);
    for (int i = 0; i < 1000 && !context; i++) {
        int status;
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            redis_server_stop(server);
            if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                cr_skip_test("redis-server is not installed");
            cr_assert_fail("redis-server ended at its start");
        }
        usleep(10000);
        context = try_connect(server);
    }
    cr_assert_not_null(context, "redis-server did not come up");
    redisFree(context);
}

static void prepare(struct redis_server *server, const char *const *options)
{
    *server = (struct redis_server){.options = options, .port = free_port(), .tls_port = free_port()};
    const char *temporary = getenv("TMPDIR");
    snprintf(server->folder, sizeof server->folder, "%s/umbel-redis-XXXXXX", temporary ? temporary : "/tmp");
    cr_assert_not_null(mkdtemp(server->folder));
    snprintf(server->socket, sizeof server->socket, "%s/socket", server->folder);
    snprintf(server->url, sizeof server->url, "redis://127.0.0.1:%d", server->port);
}

void redis_server_start(struct redis_server *server, const char *const *options)
{
    prepare(server, options);
    redis_server_again(server);
}

static void make_certificate(const struct redis_server *server, const char *name)
{
    char line[1024];
    snprintf(
        line, sizeof line,
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test "
        "-addext subjectAltName=%s -keyout %s -out %s 2>/dev/null",
        name, server->key, server->certificate);
    if (system(line) != 0)
        cr_skip_test("the openssl program is not installed");
}

void redis_server_start_tls(struct redis_server *server, const char *name)
{
    prepare(server, NULL);
    snprintf(server->certificate, sizeof server->certificate, "%s/cert.pem", server->folder);
    snprintf(server->key, sizeof server->key, "%s/key.pem", server->folder);
    snprintf(server->tls_port_text, sizeof server->tls_port_text, "%d", server->tls_port);
    const char *options[] = {
        "--tls-port", server->tls_port_text, "--tls-cert-file",   server->certificate,  "--tls-key-file",
        server->key,  "--tls-ca-cert-file",  server->certificate, "--tls-auth-clients", "no",
        NULL};
    memcpy(server->tls_options, options, sizeof options);
    server->options = server->tls_options;
    make_certificate(server, name);
    redis_server_again(server);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void redis_server_freeze(struct redis_server *server, bool frozen)
{
    kill(server->pid, frozen ? SIGSTOP : SIGCONT);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about, (void)kind, (void)place;
    return remove(path);
}

void redis_server_stop(struct redis_server *server)
{
    redis_server_kill(server);
    nftw(server->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static redisReply *ask(struct redis_server *server, const char *command)
{
    redisContext *context = try_connect(server);
    cr_assert_not_null(context);
    redisReply *reply = redisCommand(context, command);
    cr_assert_not_null(reply, "%s: %s", command, context->errstr);
    cr_assert_neq(reply->type, REDIS_REPLY_ERROR, "%s: %s", command, reply->str);
    redisFree(context);
    return reply;
}

char *redis_server_do(struct redis_server *server, const char *command)
{
    redisReply *reply = ask(server, command);
    char *text = strdup(reply->str ? reply->str : "");
    freeReplyObject(reply);
    return text;
}

int redis_server_occupy(struct redis_server *server)
{
    static const char script[] = "*3\r\n$4\r\nEVAL\r\n$17\r\nwhile true do end\r\n$1\r\n0\r\n";
    redisContext *context = try_connect(server);
    cr_assert_not_null(context);
    int fd = dup(context->fd);
    redisFree(context);
    cr_assert_eq(write(fd, script, sizeof script - 1), (ssize_t)sizeof script - 1);
    return fd;
}

long long redis_server_number(struct redis_server *server, const char *command)
{
    redisReply *reply = ask(server, command);
    long long number = reply->integer;
    cr_assert_eq(reply->type, REDIS_REPLY_INTEGER, "%s", command);
    freeReplyObject(reply);
    return number;
}
