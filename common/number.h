/* number.h: numbers as text, whatever the process's locale says about decimal points. */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#define NUMBER_SIZE 32

/* Both answer the length and end in NUL. */
size_t number_integer(char out[NUMBER_SIZE], int64_t value);
/* As Python's repr writes a float: the shortest text that reads back as the same double; "nan", "inf",
 * "-inf". */
size_t number_real(char out[NUMBER_SIZE], double value);
/* Reads decimal digits with point and exponent up to the first other character; past the range gives an
 * infinity. */
double number_parse(const char *text);

#endif
