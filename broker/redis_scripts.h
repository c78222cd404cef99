/* redis_scripts.h: what runs inside Redis, because it must be one step there. */
#ifndef BROKER_REDIS_SCRIPTS_H
#define BROKER_REDIS_SCRIPTS_H

/* Stores and publishes many results. KEYS: one per result. ARGV: milliseconds to keep them ("" = for ever),
 * "1" to replace even a terminal state, then the payload of each, then one reply channel ("" = none) for all
 * or one for each. Answers one character per result ('1' stored, '0' a terminal state stands, 'e' refused),
 * and behind them the text of the last error, if any. */
extern const char redis_script_store[];

/* KEYS: result, start marks. ARGV: seconds to keep the marks. Answers {1 when the result is terminal, marks
 * found}; when it is not terminal, one more mark was left. */
extern const char redis_script_begin[];

/* KEYS: parts, result. ARGV: milliseconds to keep them ("" = for ever), "1" to go on behind a terminal state,
 * run, number, payload, reply channel ("" = none). The list's first element is the run. Answers 1 (kept, or
 * it was), 0 (superseded, ended or forgotten), -1 (the part before it is missing). */
extern const char redis_script_part[];

#endif
