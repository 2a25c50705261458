/*
 * The C host of `ironhoard bench c`: the library's C functions, driven slice by slice.
 *
 *   c_host PATH CORE tsc|monotonic        reads commands, one a line, until its standard input ends:
 *       rtt ROUNDS WARM_UP BYTES          answers ROUNDS times u32 ticks, then u64 wrong bits
 *       fill RECORDS                      answers u64 ticks: claim, six words, commit, so many times
 *       drain RECORDS                     answers u64 wrong bits
 *   c_host steps PATH RECORDS             stops itself before and after so many claims and commits, so that
 *                                         whoever traces it can count instructions
 *
 * The first line of output is `ready VERSION`. It does what the Rust host of the same benchmark does, word
 * for word: cli/src/bench/c_command.rs.
 */
#define _GNU_SOURCE /* sched_setaffinity */

#include "ironhoard.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum { ECHO = 1, FILL_BYTES = 48, MOST_ROUNDS = 1 << 20, POLLED = 64 };
static const uint64_t DEADLINE_NS = 5 * IH_SECOND;

struct bench {
    ih_host *host;
    ih_lane *lane;
    ih_producer *producer;
    ih_consumer *consumer;
    int counter; /* read the time-stamp counter */
    uint64_t sent, received;
    uint32_t ticks[MOST_ROUNDS];
};

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void check(ih_status status, const char *what) {
    if (status != IH_OK) fail(what, ih_last_error()->message);
}

static inline uint64_t ticks(const struct bench *bench) {
    struct timespec now;
#if defined(__x86_64__)
    if (bench->counter) return __rdtsc();
#endif
    (void)bench;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void put(void *room, size_t words, uint64_t number) {
    for (size_t index = 0; index < words; index++) ((uint64_t *)room)[index] = number + index;
}

/* The bits in which a reply differs from its request. */
static inline uint64_t wrong_bits(const ih_record *reply, size_t bytes, uint64_t number) {
    uint64_t wrong = (uint64_t)reply->kind | (reply->payload_bytes ^ bytes);
    if (wrong != 0) return wrong;
    const volatile uint64_t *words = reply->payload;
    for (size_t index = 0; index < bytes / 8; index++) wrong |= words[index] ^ (number + index);
    return wrong;
}

/* One request and its reply. */
static inline uint64_t round_trip(struct bench *bench, size_t bytes) {
    void *room;
    ih_record reply;
    check(ih_producer_claim(bench->producer, bytes, &room), "claim");
    put(room, bytes / 8, bench->sent);
    check(ih_lane_call_in_place(bench->lane, ECHO, DEADLINE_NS, &reply), "call");
    uint64_t wrong = wrong_bits(&reply, bytes, bench->sent);
    check(ih_consumer_release(bench->consumer), "release");
    bench->sent++, bench->received++;
    return wrong;
}

static void answer(const void *bytes, size_t count) {
    if (fwrite(bytes, 1, count, stdout) != count || fflush(stdout) != 0) fail("answer", strerror(errno));
}

static void rtt(struct bench *bench, size_t rounds, size_t warm_up, size_t bytes) {
    uint64_t wrong = 0;
    if (rounds > MOST_ROUNDS || bytes % 8 != 0) fail("rtt", "impossible command");
    for (size_t round = 0; round < warm_up; round++) wrong |= round_trip(bench, bytes);
    uint64_t last = ticks(bench);
    for (size_t round = 0; round < rounds; round++) {
        wrong |= round_trip(bench, bytes);
        uint64_t now = ticks(bench);
        bench->ticks[round] = now - last > UINT32_MAX ? UINT32_MAX : (uint32_t)(now - last);
        last = now;
    }
    answer(bench->ticks, rounds * sizeof *bench->ticks);
    answer(&wrong, sizeof wrong);
}

/* Claims, writes and commits so many records. */
static inline void fill_ring(struct bench *bench, size_t records) {
    ih_producer *producer = bench->producer;
    uint64_t sent = bench->sent;
    for (size_t record = 0; record < records; record++, sent++) {
        void *room;
        check(ih_producer_claim(producer, FILL_BYTES, &room), "claim");
        put(room, FILL_BYTES / 8, sent);
        check(ih_producer_commit(producer, ECHO, NULL), "commit");
    }
    bench->sent = sent;
}

static void fill(struct bench *bench, size_t records) {
    uint64_t started = ticks(bench);
    fill_ring(bench, records);
    uint64_t elapsed = ticks(bench) - started;
    answer(&elapsed, sizeof elapsed);
}

static uint64_t take(struct bench *bench, size_t records) {
    uint64_t wrong = 0;
    ih_record replies[POLLED];
    for (uint64_t end = bench->received + records; bench->received < end;) {
        size_t count = 0;
        check(ih_consumer_wait(bench->consumer, DEADLINE_NS), "wait");
        check(ih_consumer_poll(bench->consumer, replies, POLLED, &count), "poll");
        for (size_t at = 0; at < count; at++)
            wrong |= wrong_bits(&replies[at], FILL_BYTES, bench->received++);
        check(ih_consumer_release(bench->consumer), "release");
    }
    return wrong;
}

static void drain(struct bench *bench, size_t records) {
    uint64_t wrong = take(bench, records);
    answer(&wrong, sizeof wrong);
}

static void steps(struct bench *bench, size_t records) {
    if (round_trip(bench, FILL_BYTES) != 0) fail("steps", "the echo is wrong");
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) fail("ptrace", strerror(errno));
    raise(SIGSTOP);
    fill_ring(bench, records);
    raise(SIGSTOP);
    if (take(bench, records) != 0) fail("steps", "the echo is wrong");
}

static void serve(struct bench *bench) {
    char line[128];
    size_t first, second, third;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "rtt %zu %zu %zu", &first, &second, &third) == 3) rtt(bench, first, second, third);
        else if (sscanf(line, "fill %zu", &first) == 1) fill(bench, first);
        else if (sscanf(line, "drain %zu", &first) == 1) drain(bench, first);
        else fail("unknown command", line);
    }
}

static void pin(const char *core) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(strtoul(core, NULL, 10), &cores);
    if (sched_setaffinity(0, sizeof cores, &cores) != 0) fail("pin", strerror(errno));
}

int main(int argc, char **argv) {
    static struct bench bench;
    if (argc != 4) fail("c_host", "started by `ironhoard bench c` alone");
    int is_traced = strcmp(argv[1], "steps") == 0;
    check(ih_host_attach(argv[is_traced ? 2 : 1], NULL, &bench.host), "attach");
    check(ih_lane_take(bench.host, &bench.lane), "lane");
    bench.producer = ih_lane_producer(bench.lane);
    bench.consumer = ih_lane_consumer(bench.lane);
    bench.counter = strcmp(argv[3], "tsc") == 0;
    if (is_traced) {
        steps(&bench, strtoul(argv[3], NULL, 10));
    } else {
        pin(argv[2]); /* after the library has started its thread, which is not to be pinned here */
        printf("ready %s\n", ih_version_string());
        fflush(stdout);
        serve(&bench);
    }
    check(ih_lane_give_back(&bench.lane), "give back");
    check(ih_host_detach(&bench.host), "detach");
    return 0;
}
