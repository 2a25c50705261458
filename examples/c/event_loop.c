/*
 * A lane in an event loop: replies are handled by epoll, among whatever else the loop serves (here: a timer).
 *
 *   echo_engine /tmp/echo.sock &
 *   event_loop /tmp/echo.sock [COUNT]
 *
 *   ┌▶ take replies until there are none ─▶ arm ─┬─ ready: something came meanwhile ─┐
 *   │                                            └─ else epoll_wait ─▶ disarm ───────┤
 *   └────────────────────────────────────────────────────────────────────────────────┘
 *
 * Between arm and disarm the engine rings the descriptor when there is news; at other times it pays nothing.
 * libuv, libevent and Qt work alike: docs/C.md.
 */
#define _POSIX_C_SOURCE 200809L

#include <ironhoard.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { WINDOW = 64, POLLED = 16 };

struct loop {
    ih_lane *lane;
    ih_consumer *consumer;
    uint64_t wanted, sent, taken, ticks, naps;
    int epoll, bell, timer;
};

static int failed(const char *what) {
    fprintf(stderr, "event_loop: %s: %s\n", what, ih_last_error()->message);
    return 1;
}

/* Keeps requests under way, as many as the window allows; never blocks. */
static int send_some(struct loop *loop) {
    ih_producer *producer = ih_lane_producer(loop->lane);
    while (loop->sent < loop->wanted && loop->sent - loop->taken < WINDOW) {
        void *room;
        ih_status status = ih_producer_claim(producer, sizeof loop->sent, &room);
        if (status == IH_FULL) return 0;
        if (status != IH_OK) return failed("claim");
        memcpy(room, &loop->sent, sizeof loop->sent);
        if (ih_producer_commit(producer, 1, NULL)) return failed("commit");
        loop->sent++;
    }
    return 0;
}

/* Takes the replies that are there; never blocks. */
static int take_all(struct loop *loop) {
    ih_record replies[POLLED];
    size_t count;
    do {
        if (ih_consumer_poll(loop->consumer, replies, POLLED, &count)) return failed("poll");
        for (size_t i = 0; i < count; i++, loop->taken++) {
            uint64_t value;
            if (replies[i].kind != IH_STATUS_OK || replies[i].payload_bytes != sizeof value) return 1;
            memcpy(&value, replies[i].payload, sizeof value);
            if (value != loop->taken) return fprintf(stderr, "event_loop: a wrong reply\n"), 1;
        }
        if (ih_consumer_release(loop->consumer)) return failed("release");
    } while (count > 0 && send_some(loop) == 0);
    return 0;
}

/* Sleeps until one of the loop's descriptors has news, unless the lane has some already. */
static int sleep_once(struct loop *loop) {
    struct epoll_event events[2];
    int ready, count = 0;
    if (ih_consumer_arm(loop->consumer, &ready)) return failed("arm");
    if (!ready) {
        loop->naps++;
        count = epoll_wait(loop->epoll, events, 2, -1);
    }
    if (ih_consumer_disarm(loop->consumer)) return failed("disarm");
    for (int i = 0; i < count; i++) {
        uint64_t expired;
        if (events[i].data.fd == loop->timer && read(loop->timer, &expired, sizeof expired) > 0)
            loop->ticks += expired;
    }
    return 0;
}

static int watch(const struct loop *loop, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* The loop's descriptors: the lane's, and a timer of 10 ms; 0 is success. */
static int set_up(struct loop *loop) {
    struct itimerspec every = {{0, 10000000}, {0, 10000000}};
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->epoll < 0 || loop->timer < 0 || timerfd_settime(loop->timer, 0, &every, NULL) != 0 ||
        watch(loop, loop->timer) != 0 || watch(loop, loop->bell) != 0)
        return perror("event_loop"), 1;
    return 0;
}

int main(int argc, char **argv) {
    struct loop loop = {0};
    ih_host *host = NULL;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: event_loop PATH [COUNT]\n");
        return 1;
    }
    loop.wanted = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000;
    if (ih_host_attach(argv[1], NULL, &host)) return failed("attach");
    if (ih_lane_take(host, &loop.lane)) return failed("lane");
    loop.consumer = ih_lane_consumer(loop.lane);
    if (ih_consumer_fd(loop.consumer, &loop.bell)) return failed("descriptor");
    if (set_up(&loop)) return 1;
    while (loop.taken < loop.wanted)
        if (send_some(&loop) || take_all(&loop) || sleep_once(&loop)) return 1;
    printf("%" PRIu64 " replies, asleep %" PRIu64 " times, %" PRIu64 " ticks of the timer\n", loop.taken,
           loop.naps, loop.ticks);
    close(loop.epoll), close(loop.timer);
    if (ih_lane_give_back(&loop.lane)) return failed("give back");
    if (ih_host_detach(&host)) return failed("detach");
    return 0;
}
