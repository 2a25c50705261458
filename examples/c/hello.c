/* The smallest host: attach, take a lane, ask one thing, check everything. See docs/C.md. */
#include <ironhoard.h>
#include <stdio.h>

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, ih_last_error()->message);
    return 1;
}

int main(int argc, char **argv) {
    ih_host *host = NULL;
    ih_lane *lane = NULL;
    ih_call_reply reply;
    char answer[64];

    if (ih_host_attach(argc > 1 ? argv[1] : "/tmp/echo.sock", NULL, &host)) return failed("attach");
    if (ih_lane_take(host, &lane)) return failed("lane");
    if (ih_lane_call(lane, 1, "hello", 5, IH_SECOND, answer, sizeof answer, &reply)) return failed("call");
    printf("status %u: %.*s\n", reply.status, (int)reply.copied, answer);

    if (ih_lane_give_back(&lane)) return failed("give back");
    if (ih_host_detach(&host)) return failed("detach");
    return 0;
}
