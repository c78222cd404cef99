// client.cpp: calling tasks from C++17. The URLs come from UMBEL_BROKER_URL and UMBEL_RESULT_BACKEND.
//
//     c++ -std=c++17 -o client client.cpp $(pkg-config --cflags --libs umbel)
#include <iostream>
#include <umbel.h>
#include <vector>

int main()
{
    umbel_client *client = umbel_connect(nullptr, nullptr);

    std::vector<umbel_future *> sums;
    for (int i = 0; i < 10; i++)
        sums.push_back(umbel_submit(client, "math.add", UMBEL_ARGS(i, i)));

    int bad = 0;
    for (umbel_future *sum : sums) {
        int64_t value = 0;
        if (umbel_get(sum, 5.0, &value)) {
            std::cerr << umbel_error(sum) << "\n";
            bad = 1;
        } else {
            std::cout << value << (sum == sums.back() ? "\n" : " ");
        }
        umbel_future_free(sum);
    }
    umbel_close(client, 1.0);
    return bad;
}
