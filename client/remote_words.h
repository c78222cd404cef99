/* remote_words.h: what `umbel inspect` and `umbel control` know: methods, and the words behind each. */
#ifndef CLIENT_REMOTE_WORDS_H
#define CLIENT_REMOTE_WORDS_H

#include "client/remote.h"

enum word_kind { WORD_END, WORD_TEXT, WORD_NUMBER, WORD_TEXTS /* all that are left */ };

struct remote_word {
    const char *name; /* of the argument */
    enum word_kind kind;
    bool optional;
};

struct remote_method {
    const char *name;
    struct remote_word words[4];
    bool silent; /* not answered */
};

/* Builds the arguments out of the words of the line: those of the row, or one JSON map, which also goes with
 * methods that are in no row. EXIT_DONE with *arguments (to be freed; may be NULL) and *silent, or EXIT_USAGE
 * after having complained. `rows` end with a row without a name. */
int remote_words(const char *command, const struct remote_method *rows, int count, char **words,
                 umbel_value **arguments, bool *silent);
/* The whole of both commands. */
int remote_run(const char *command, const struct command_globals *globals, const struct remote_method *rows,
               int argc, char **argv);

#endif
