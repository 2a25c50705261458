/*
 * Many threads, one lane: each sends through a shared producer, one receives all replies.
 *
 *   echo_engine /tmp/echo.sock &
 *   threads /tmp/echo.sock [THREADS [GROUPS]]
 *
 *   sender 0 ──┐
 *   sender 1 ──┼─ lock ─ claim, commit × 16 ─ unlock ──▶ engine ──▶ receiver: checks that nothing is lost,
 *   sender …  ─┘                                                     torn or out of its sender's order
 *
 * The lock is held for a group of requests, which become visible in one step when it is given up. Where one
 * request is enough, ih_shared_send does it all. A lane for each thread is faster still, where there
 * are lanes enough: options.lanes.
 */
#include <ironhoard.h>

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 64, GROUP = 16, POLLED = 64 };
static const uint64_t DEADLINE_NS = 5 * IH_SECOND;

struct message {
    uint32_t sender, ordinal;
    uint64_t check;
};

struct sender {
    ih_shared *shared;
    uint32_t number, groups;
    pthread_t thread;
};

static uint64_t check_of(uint32_t sender, uint32_t ordinal) {
    return ((uint64_t)sender << 32 | ordinal) * UINT64_C(0x9e3779b97f4a7c15);
}

static void *failed(const char *what) {
    fprintf(stderr, "threads: %s: %s\n", what, ih_last_error()->message);
    return "failed";
}

/* Sends as much of a group as there is room for; how much travels in `sent`. NULL is success. */
static void *send_some(struct sender *sender, uint32_t first, uint32_t *sent) {
    uint32_t left = sender->groups * GROUP - first;
    ih_producer *producer;
    ih_status status = IH_OK;
    if (ih_shared_lock(sender->shared, &producer)) return failed("lock");
    for (*sent = 0; *sent < GROUP && *sent < left; ++*sent) {
        void *room;
        status = ih_producer_claim(producer, sizeof(struct message), &room);
        if (status != IH_OK) break;
        struct message *message = room;
        message->sender = sender->number;
        message->ordinal = first + *sent;
        message->check = check_of(sender->number, first + *sent);
        status = ih_producer_commit(producer, 1, NULL);
        if (status != IH_OK) break;
    }
    void *trouble = status != IH_OK && status != IH_FULL ? failed("send") : NULL;
    if (ih_shared_unlock(sender->shared, NULL)) return failed("unlock");
    return trouble;
}

static void *send_all(void *argument) {
    struct sender *sender = argument;
    for (uint32_t ordinal = 0; ordinal < sender->groups * GROUP;) {
        uint32_t sent = 0;
        void *trouble = send_some(sender, ordinal, &sent);
        if (trouble != NULL) return trouble;
        if (sent == 0) sched_yield(); /* full: the receiver is behind */
        ordinal += sent;
    }
    return NULL;
}

/* Takes so many replies and checks each; 0 is success. */
static int receive(ih_lane *lane, uint64_t wanted) {
    static uint32_t next[MOST_THREADS];
    ih_consumer *consumer = ih_lane_consumer(lane);
    ih_record replies[POLLED];
    for (uint64_t taken = 0; taken < wanted;) {
        size_t count = 0;
        if (ih_consumer_wait(consumer, DEADLINE_NS)) return failed("wait") != NULL;
        if (ih_consumer_poll(consumer, replies, POLLED, &count)) return failed("poll") != NULL;
        for (size_t i = 0; i < count; i++, taken++) {
            struct message message;
            if (replies[i].kind != IH_STATUS_OK || replies[i].payload_bytes != sizeof message) return 1;
            memcpy(&message, replies[i].payload, sizeof message);
            if (message.sender >= MOST_THREADS || message.ordinal != next[message.sender]++ ||
                message.check != check_of(message.sender, message.ordinal)) {
                fprintf(stderr, "threads: a reply of sender %" PRIu32 " is wrong\n", message.sender);
                return 1;
            }
        }
        if (ih_consumer_release(consumer)) return failed("release") != NULL;
    }
    return 0;
}

int main(int argc, char **argv) {
    uint32_t threads = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 4;
    uint32_t groups = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 10000;
    struct sender senders[MOST_THREADS];
    ih_host *host = NULL;
    ih_lane *lane = NULL;
    ih_shared *shared;
    if (argc < 2 || argc > 4 || threads < 1 || threads > MOST_THREADS || groups > UINT32_MAX / GROUP) {
        fprintf(stderr, "usage: threads PATH [THREADS [GROUPS]]\n");
        return 1;
    }
    if (ih_host_attach(argv[1], NULL, &host)) return failed("attach") != NULL;
    if (ih_lane_take(host, &lane)) return failed("lane") != NULL;
    if (ih_lane_share(lane, &shared)) return failed("share") != NULL;
    for (uint32_t i = 0; i < threads; i++) {
        senders[i].shared = shared, senders[i].number = i, senders[i].groups = groups;
        if (pthread_create(&senders[i].thread, NULL, send_all, &senders[i])) return perror("threads"), 1;
    }
    uint64_t wanted = (uint64_t)threads * groups * GROUP;
    int wrong = receive(lane, wanted);
    if (wrong) return 1; /* senders may wait for room that never comes */
    for (uint32_t i = 0; i < threads; i++) {
        void *trouble;
        if (pthread_join(senders[i].thread, &trouble) || trouble != NULL) wrong = 1;
    }
    if (ih_lane_give_back(&lane)) return failed("give back") != NULL;
    if (ih_host_detach(&host)) return failed("detach") != NULL;
    if (!wrong) printf("%" PRIu64 " replies to %" PRIu32 " threads, in order\n", wanted, threads);
    return wrong;
}
