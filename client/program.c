/* program.c: the `umbel` program: global options, then a row of the command table.
 *
 * A command is one file, cmd_<name>.c, that exports one row. To add one, write that file and name its row
 * below. */
#include "client/program.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbel/worker.h>
#include <unistd.h>

extern const struct command cmd_worker, cmd_call, cmd_result, cmd_purge, cmd_dead, cmd_status, cmd_inspect,
    cmd_control, cmd_events, cmd_bench;

static const struct command *const commands[] = {
    &cmd_worker,  &cmd_call,    &cmd_result, &cmd_purge, &cmd_dead, &cmd_status,
    &cmd_inspect, &cmd_control, &cmd_events, &cmd_bench, NULL,
};

static const char help_head[] =
    "usage: umbel [-A FILE]... [-b URL] [--result-backend URL] COMMAND [ARGUMENTS]\n"
    "\n"
    "Umbel is a distributed task queue: clients send tasks, workers run them, clients\n"
    "wait for the results.\n"
    "\n"
    "commands (umbel COMMAND --help tells more):\n";

static const char help_tail[] =
    "\n"
    "options, before the command:\n"
    "  -A, --app FILE      a shared object with tasks; may be repeated\n"
    "  -b, --broker URL    where tasks travel [UMBEL_BROKER_URL]\n"
    "      --result-backend URL\n"
    "                      where results are kept [UMBEL_RESULT_BACKEND, else the\n"
    "                      broker where it can keep them]\n"
    "      --version       print the version and end\n"
    "  -h, --help          print this and end\n"
    "\n"
    "URLs:\n"
    "  amqp://user:password@host:5672/vhost  RabbitMQ; amqps:// with TLS\n"
    "  redis://:password@host:6379/0         Redis, results only; rediss:// with TLS\n"
    "  sqlite:PATH                           one file for both, no server\n"
    "  memory://                             both, inside one process\n"
    "\n"
    "exit codes:\n"
    "   0  done                       3  no answer in time\n"
    "   1  the task failed            4  broker or result backend away, or it refused\n"
    "   2  wrong command line        70  a defect in Umbel\n"
    "\n"
    "example:\n"
    "  umbel -A ./tasks.so -b sqlite:/tmp/queue.db worker &\n"
    "  umbel -b sqlite:/tmp/queue.db call math.add '[2, 3]' --wait\n";

const struct command *program_find(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int smallest(int a, int b, int c)
{
    int least = a < b ? a : b;
    return least < c ? least : c;
}

/* Edit distance (insert, delete, replace) of two short words. */
static int distance(const char *a, const char *b)
{
    int row[32];
    int width = (int)strlen(b);
    if (width > 31 || strlen(a) > 31)
        return 32;
    for (int j = 0; j <= width; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= width; j++) {
            int above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[width];
}

const struct command *program_closest(const char *name)
{
    const struct command *closest = NULL;
    int least = 3; /* three letters wrong is another word */
    for (size_t i = 0; commands[i]; i++) {
        int now = distance(name, commands[i]->name);
        if (now < least) {
            least = now;
            closest = commands[i];
        }
    }
    return closest;
}

static void complain(struct program_line *line, const char *what, const char *which)
{
    line->ask = PROGRAM_USAGE;
    snprintf(line->why, sizeof line->why, "%s '%.100s'", what, which);
}

static void name_unknown(struct program_line *line, const char *name)
{
    const struct command *closest = program_closest(name);
    line->ask = PROGRAM_USAGE;
    if (closest)
        snprintf(line->why, sizeof line->why, "there is no command '%.60s'; did you mean '%s'?", name,
                 closest->name);
    else
        snprintf(line->why, sizeof line->why, "there is no command '%.60s'", name);
}

static void take_option(struct program_line *line, int letter, const char *value, const char *word)
{
    struct command_globals *globals = &line->globals;
    switch (letter) {
    case 'A':
        if (globals->module_count == (int)(sizeof globals->modules / sizeof globals->modules[0]))
            complain(line, "too many -A, the first that is too much is", value);
        else
            globals->modules[globals->module_count++] = value;
        return;
    case 'b':
        globals->broker = value;
        return;
    case 'r':
        globals->backend = value;
        return;
    case 'V':
        line->ask = PROGRAM_VERSION;
        return;
    case 'h':
        line->ask = PROGRAM_HELP;
        return;
    case ':':
        complain(line, "a value is missing after", word);
        return;
    default:
        complain(line, "there is no option", word);
    }
}

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

void program_parse(struct program_line *line, const umbel_module_table *own, int argc, char **argv)
{
    static const struct option longs[] = {
        {"app", required_argument, NULL, 'A'}, {"broker", required_argument, NULL, 'b'},
        {"version", no_argument, NULL, 'V'},   {"result-backend", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},      {NULL, 0, NULL, 0},
    };
    *line = (struct program_line){.ask = PROGRAM_RUN};
    line->globals = (struct command_globals){.program = argc > 0 ? argv[0] : "umbel",
                                             .own_module = own,
                                             .broker = from_environment("UMBEL_BROKER_URL"),
                                             .backend = from_environment("UMBEL_RESULT_BACKEND")};
    optind = 0; /* glibc: start afresh */
    while (line->ask == PROGRAM_RUN) {
        int letter = getopt_long(argc, argv, "+:A:b:h", longs, NULL);
        if (letter < 0)
            break;
        take_option(line, letter, optarg, argv[optind - 1]);
    }
    if (line->ask != PROGRAM_RUN)
        return;
    line->command_at = optind;
    if (optind >= argc)
        line->ask = PROGRAM_HELP;
    else if (strcmp(argv[optind], "help") == 0)
        line->ask = PROGRAM_HELP;
    else if (!program_find(argv[optind]))
        name_unknown(line, argv[optind]);
}

static void print_help(FILE *to)
{
    fputs(help_head, to);
    for (size_t i = 0; commands[i]; i++)
        fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs(help_tail, to);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int run_command(const struct program_line *line, int argc, char **argv)
{
    const struct command *command = program_find(argv[0]);
    if (command->inner && argc > 1 && strcmp(argv[1], command->inner->name) == 0) {
        command = command->inner;
        argc--;
        argv++;
    }
    if (asks_for_help(argc, argv)) {
        fputs(command->usage, stdout);
        return EXIT_DONE;
    }
    optind = 0;
    return command->run(&line->globals, argc, argv);
}

/* Started without them (a careless supervisor closes all), the first sockets and files would be numbered 0 to
 * 2, and log lines would be written into them. */
static void fill_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int umbel_main_with(const umbel_module_table *module, int argc, char **argv)
{
    struct program_line line;
    fill_standard_descriptors();
    program_parse(&line, module, argc, argv);
    switch (line.ask) {
    case PROGRAM_HELP:
        print_help(stdout);
        return EXIT_DONE;
    case PROGRAM_VERSION:
        printf("umbel %s\n", umbel_version());
        return EXIT_DONE;
    case PROGRAM_USAGE:
        fprintf(stderr, "umbel: %s\nTry 'umbel --help'.\n", line.why);
        return EXIT_USAGE;
    case PROGRAM_RUN:
        break;
    }
    return run_command(&line, argc - line.command_at, argv + line.command_at);
}
