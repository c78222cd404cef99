/* error.h: every error Umbel can answer, one row each. 0 is success.
 *
 * A call that can fail returns one of these codes; the object it was called on (client, future) keeps a text that names
 * the cause and the remedy (umbel_error, umbel_client_error). */
#ifndef UMBEL_ERROR_H
#define UMBEL_ERROR_H

#include <umbel/abi.h>

/* X(name, code, text) */
#define UMBEL_ERRORS(X)                                                                                      \
    X(OK, 0, "success")                                                                                      \
    X(TIMEOUT, 1, "the time allowed ran out")                                                                \
    X(FAILED, 2, "the task failed")                                                                          \
    X(REVOKED, 3, "the task was revoked before it finished")                                                 \
    X(CANCELLED, 4, "the future was cancelled")                                                              \
    X(UNROUTABLE, 5, "no queue took the message")                                                            \
    X(REFUSED, 6, "the broker refused the message")                                                          \
    X(BROKER_AWAY, 7, "the broker cannot be reached")                                                        \
    X(BROKER_BLOCKED, 8, "the broker is blocking publishers (memory or disk alarm)")                         \
    X(BACKEND_AWAY, 9, "the result backend cannot be reached")                                               \
    X(BACKEND_REFUSED, 10, "the result backend refused the command")                                         \
    X(ALREADY_DONE, 11, "a terminal state is already stored")                                                \
    X(BUSY, 12, "there is no room for it now, or it runs already")                                           \
    X(FORKED, 13, "this client belongs to the parent process; connect again after fork")                     \
    X(CLOSED, 14, "the client is closed")                                                                    \
    X(AUTH, 15, "the server refused the credentials")                                                        \
    X(TLS, 16, "the TLS handshake or verification failed")                                                   \
    X(PROTOCOL, 17, "the peer broke the protocol")                                                           \
    X(BAD_URL, 18, "the URL cannot be used")                                                                 \
    X(BAD_ARGUMENT, 19, "an argument is out of range")                                                       \
    X(BAD_TYPE, 20, "the value has another type")                                                            \
    X(BAD_VALUE, 21, "the value is out of range for the type asked for")                                     \
    X(BAD_MESSAGE, 22, "the message cannot be decoded")                                                      \
    X(TOO_LARGE, 23, "the message is larger than the limit")                                                 \
    X(TOO_DEEP, 24, "the value is nested deeper than the limit")                                             \
    X(NOT_FOUND, 25, "there is no such thing")                                                               \
    X(NOT_REGISTERED, 26, "no task of that name is registered")                                              \
    X(NOT_SUPPORTED, 27, "this version cannot do that")                                                      \
    X(NO_MEMORY, 28, "out of memory")                                                                        \
    X(SYSTEM, 29, "the operating system refused a call")                                                     \
    X(BAD_MODULE, 30, "the file is not a module of tasks")                                                   \
    X(CONFLICT, 31, "the queue exists with other arguments")                                                 \
    X(LOST, 32, "the result is gone: it expired or the backend lost it")                                     \
    X(EXHAUSTED, 33, "there is no more: everything has been read")                                           \
    X(RESTARTED, 34, "the task began again: the parts read so far are superseded")

typedef enum umbel_code {
#define UMBEL_ERROR_ENUM(name, code, text) UMBEL_##name = code,
    UMBEL_ERRORS(UMBEL_ERROR_ENUM)
#undef UMBEL_ERROR_ENUM
} umbel_code;

UMBEL_BEGIN
/* The row's text ("the time allowed ran out") and name ("TIMEOUT"). Static; never NULL; any thread. */
UMBEL_API const char *umbel_strerror(int code);
UMBEL_API const char *umbel_code_name(int code);
UMBEL_END

#endif
