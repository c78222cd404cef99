/* remote.h: one question to the workers of a cluster, and their answers. For the commands status, inspect and
 * control. */
#ifndef CLIENT_REMOTE_H
#define CLIENT_REMOTE_H

#include "client/desk.h"
#include "common/uuid.h"

enum { REMOTE_NODES_MAX = 64 };

struct remote_line {                     /* what the command line says; remote_option fills it */
    const char *nodes[REMOTE_NODES_MAX]; /* whom to ask; none: everybody */
    int node_count;
    double timeout; /* seconds to wait for answers; 0 = 1 */
    bool json;
};

struct remote {
    struct desk desk; /* first: the events' self */
    const struct remote_line *line;
    char oid[UUID_SIZE], ticket[UUID_SIZE];
    umbel_value *replies; /* a map: node to reply */
    bool expects;         /* answers come */
};

#define REMOTE_OPTIONS "d:t:j"
#define REMOTE_LONG_OPTIONS                                                                                  \
    {"destination", required_argument, NULL, 'd'}, {"timeout", required_argument, NULL, 't'},                \
    {                                                                                                        \
        "json", no_argument, NULL, 'j'                                                                       \
    }
/* Takes one option of the above; EXIT_DONE or EXIT_USAGE after having complained. The value is cut at its
 * commas. */
int remote_option(struct remote_line *line, const char *command, int letter, char *value, const char *word);

/* Asks and gathers. EXIT_DONE, or another exit code after having complained; how many have answered is
 * umbel_value_count(remote->replies). remote_end must follow in either case. */
int remote_ask(struct remote *remote, const char *command, const struct command_globals *globals,
               const struct remote_line *line, const char *method, const umbel_value *arguments,
               bool expects);
void remote_end(struct remote *remote);
/* Prints the replies; EXIT_DONE, or EXIT_TASK_FAILED when nobody, or not everybody who was named, has
 * answered, or an answer is an error. */
int remote_print(const struct remote *remote);
/* Complains of those who have not answered; EXIT_DONE when there are none. */
int remote_silence(const struct remote *remote);

#endif
