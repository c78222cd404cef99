/* seeds_process.c: see seeds.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "client/seeds.h"
#include "common/clock.h"

pid_t seeds_fork(void)
{
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid)
        return pid;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it died before we had asked to be told */
        _exit(1);
    return 0;
}

static bool is_over(pid_t pid)
{
    pid_t ended = waitpid(pid, NULL, WNOHANG);
    return ended == pid || (ended < 0 && errno == ECHILD);
}

void seeds_end(pid_t pid, double patience)
{
    double until = clock_mono() + patience;
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    while (!is_over(pid)) {
        if (clock_mono() > until)
            kill(pid, SIGKILL);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}
