/* no_module.c: a shared object that is no module of tasks. */
int nothing_here(void);
int nothing_here(void)
{
    return 0;
}
