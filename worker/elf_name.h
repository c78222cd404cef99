/* elf_name.h: the name of the function at a place of a program or shared object, static ones included, which
 * the dynamic linker does not know. */
#ifndef WORKER_ELF_NAME_H
#define WORKER_ELF_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum { ELF_NAME_SIZE = 128 };

/* Reads the file's table of symbols; `into` is how far behind the function's beginning. False when it was
 * stripped, is gone, or there is no function: nothing is printed about that, for the offset alone is of use
 * too. */
bool elf_name(const char *path, size_t offset, char name[ELF_NAME_SIZE], size_t *into);

#endif
