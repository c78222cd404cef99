#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/uuid.h"

Test(uuid, has_the_form_of_version_4)
{
    for (int round = 0; round < 1000; round++) {
        char id[UUID_SIZE];
        uuid_make(id);
        cr_assert_eq(strlen(id), 36);
        cr_assert(id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' && id[14] == '4');
        cr_assert(strchr("89ab", id[19]) && strspn(id, "0123456789abcdef-") == 36);
    }
}

Test(uuid, many_are_all_different)
{
    enum { COUNT = 3000 };
    static char ids[COUNT][UUID_SIZE];
    for (int i = 0; i < COUNT; i++)
        uuid_make(ids[i]);
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < i; j++)
            cr_assert(strcmp(ids[i], ids[j]) != 0);
    }
}

Test(uuid, a_forked_child_makes_others)
{
    char mine[UUID_SIZE], of_child[UUID_SIZE];
    int ends[2];
    uuid_make(mine);
    cr_assert_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        uuid_make(of_child);
        _exit(write(ends[1], of_child, sizeof of_child) != sizeof of_child);
    }
    uuid_make(mine);
    cr_assert_eq(read(ends[0], of_child, sizeof of_child), (ssize_t)sizeof of_child);
    waitpid(pid, NULL, 0);
    cr_assert(strcmp(mine, of_child) != 0);
}
