/* main.c: the `umbel` program. It brings no tasks of its own: -A names them. */
#include <umbel/worker.h>

int main(int argc, char **argv)
{
    return umbel_main_with(NULL, argc, argv);
}
