/* Control messages, in JSON or msgpack by the first byte: reading them and finding out whom they concern. */
#include "common/str.h"
#include "worker/control_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control_request request;
    struct message msg;
    struct arena arena;
    const char *why;
    if (size == 0)
        return 0;
    arena_init(&arena, (size_t)32 << 20);
    message_init(&msg);
    msg.content_type = data[0] & 1 ? STR("application/json") : STR("application/x-msgpack");
    msg.body = (umbel_str){(const char *)data + 1, size - 1};
    if (control_request_read(&arena, &msg, &request, &why) == UMBEL_OK)
        control_request_concerns(&request, "umbel@box.example.org");
    arena_fini(&arena);
    return 0;
}
