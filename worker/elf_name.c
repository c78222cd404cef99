/* elf_name.c: see elf_name.h. Read, not mapped: a file that is being built anew may be cut off at any moment.
 */
#include "worker/elf_name.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

enum { SYMBOLS_AT_ONCE = 128 };

static bool read_at(int fd, size_t offset, void *to, size_t size)
{
    return pread(fd, to, size, (off_t)offset) == (ssize_t)size;
}

static bool read_section(int fd, const ElfW(Ehdr) * head, size_t index, ElfW(Shdr) * section)
{
    return index < head->e_shnum && head->e_shentsize == sizeof *section &&
           read_at(fd, head->e_shoff + index * sizeof *section, section, sizeof *section);
}

static bool find_symbols(int fd, const ElfW(Ehdr) * head, ElfW(Shdr) * section)
{
    for (size_t i = 0; read_section(fd, head, i, section); i++)
        if (section->sh_type == SHT_SYMTAB)
            return true;
    return false;
}

static bool holds(const ElfW(Sym) * symbol, size_t offset)
{
    return ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && offset >= symbol->st_value &&
           offset - symbol->st_value < symbol->st_size;
}

static bool find_function(int fd, const ElfW(Shdr) * table, size_t offset, ElfW(Sym) * found)
{
    ElfW(Sym) some[SYMBOLS_AT_ONCE];
    size_t count = table->sh_size / sizeof *some;
    for (size_t from = 0; from < count; from += SYMBOLS_AT_ONCE) {
        size_t now = count - from < SYMBOLS_AT_ONCE ? count - from : SYMBOLS_AT_ONCE;
        if (!read_at(fd, table->sh_offset + from * sizeof *some, some, now * sizeof *some))
            return false;
        for (size_t i = 0; i < now; i++) {
            if (!holds(&some[i], offset))
                continue;
            *found = some[i];
            return true;
        }
    }
    return false;
}

static bool read_name(int fd, const ElfW(Shdr) * texts, const ElfW(Sym) * symbol, char name[ELF_NAME_SIZE])
{
    if (symbol->st_name >= texts->sh_size)
        return false;
    ssize_t size = pread(fd, name, ELF_NAME_SIZE - 1, (off_t)(texts->sh_offset + symbol->st_name));
    name[size > 0 ? size : 0] = 0;
    return *name;
}

static bool name_in(int fd, size_t offset, char name[ELF_NAME_SIZE], size_t *into)
{
    ElfW(Ehdr) head;
    ElfW(Shdr) table, texts;
    ElfW(Sym) symbol;
    if (!read_at(fd, 0, &head, sizeof head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != __ELF_NATIVE_CLASS / 32 || !find_symbols(fd, &head, &table) ||
        !read_section(fd, &head, table.sh_link, &texts) || !find_function(fd, &table, offset, &symbol))
        return false;
    *into = offset - symbol.st_value;
    return read_name(fd, &texts, &symbol, name);
}

bool elf_name(const char *path, size_t offset, char name[ELF_NAME_SIZE], size_t *into)
{
    /* The program itself is known by the word it was called by. */
    int fd = open(strchr(path, '/') ? path : "/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool found = name_in(fd, offset, name, into);
    close(fd);
    return found;
}
