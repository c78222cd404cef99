/* notice.h: what is told of one task: a result map, looked at no closer than its future needs. */
#ifndef CLIENT_NOTICE_H
#define CLIENT_NOTICE_H

#include "common/result.h"

struct notice {
    enum result_state state;
    umbel_str id;      /* this and the next borrowed from what was read */
    umbel_str payload; /* the map, or only the value where that is all its news */
    bool bare;         /* it is only the value, in JSON */
};

/* UMBEL_OK or UMBEL_BAD_MESSAGE. */
int notice_read(struct notice *notice, umbel_str stored);

#endif
