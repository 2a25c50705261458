/*
 * A host that sends requests of many sizes to an echo engine, compares every byte of every reply, and
 * tells how long a round trip takes.
 *
 *   echo_engine /tmp/echo.sock &
 *   ping /tmp/echo.sock [COUNT]
 *
 * The payload is written in place and the reply is read in place: nothing is copied on the way.
 * The same program in other languages: examples/ping.rs, examples/cpp/ping.cpp, examples/go/ping.
 */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */

#include <ironhoard.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LARGEST = 4096 };
static const uint64_t DEADLINE_NS = 5 * IH_SECOND;

static int failed(const char *what) {
    fprintf(stderr, "ping: %s: %s\n", what, ih_last_error()->message);
    return 1;
}

/* Most payloads are small, every eighth is up to 4 KiB, no two neighbours are alike. */
static size_t length_of(uint32_t ping) {
    uint32_t largest = ping % 8 == 7 ? LARGEST : 64;
    return (uint32_t)(ping * UINT32_C(2654435761)) % (largest + 1);
}

static uint8_t byte_of(uint32_t ping, size_t index) { return (uint8_t)(ping * 31 + index * 7); }

/* One round trip, checked; 0 is success. */
static int round_trip(ih_lane *lane, uint32_t ping) {
    size_t length = length_of(ping);
    ih_record reply;
    void *room;
    if (ih_lane_claim_wait(lane, length, DEADLINE_NS, &room)) return failed("claim");
    for (size_t index = 0; index < length; index++) ((uint8_t *)room)[index] = byte_of(ping, index);
    if (ih_lane_call_in_place(lane, 1, DEADLINE_NS, &reply)) return failed("call");
    const uint8_t *answer = reply.payload;
    int right = reply.kind == IH_STATUS_OK && reply.payload_bytes == length;
    for (size_t index = 0; right && index < length; index++) right = answer[index] == byte_of(ping, index);
    if (ih_consumer_release(ih_lane_consumer(lane))) return failed("release");
    if (right) return 0;
    fprintf(stderr, "ping: reply %" PRIu32 " is not its request (status %u, %" PRIu32 " bytes)\n", ping,
            reply.kind, reply.payload_bytes);
    return 1;
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* A number from the command line; UINT32_MAX where it is none. */
static uint32_t number(const char *text) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    return *text < '0' || *text > '9' || *end != '\0' || value >= UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

int main(int argc, char **argv) {
    uint32_t count = argc > 2 ? number(argv[2]) : 100000;
    ih_host *host = NULL;
    ih_lane *lane = NULL;
    int wrong = 0;
    if (argc < 2 || argc > 3 || count == UINT32_MAX) {
        fprintf(stderr, "usage: ping PATH [COUNT]\n");
        return 1;
    }
    if (ih_host_attach(argv[1], NULL, &host)) return failed("attach");
    if (ih_lane_take(host, &lane)) return failed("lane");
    double started = now_ns();
    for (uint32_t ping = 0; ping < count && !wrong; ping++) wrong = round_trip(lane, ping);
    double each = (now_ns() - started) / (count > 0 ? count : 1);
    if (!wrong) printf("%" PRIu32 " round trips, %.0f ns each\n", count, each);
    if (ih_lane_give_back(&lane)) return failed("give back");
    if (ih_host_detach(&host)) return failed("detach");
    return wrong;
}
