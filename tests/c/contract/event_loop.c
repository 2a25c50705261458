/* Event loops: no ring is lost, whoever takes the byte, and the descriptor outlives engines. */
#define _GNU_SOURCE
#include "children.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#define ROUNDS 1500

static ih_host *host;

/* One request under way at a time, its reply awaited in an event loop. */
static void *loop_thread(void *argument) {
    ih_lane *lane = NULL;
    ih_producer *producer;
    ih_consumer *consumer;
    int fd, again, round, epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    uint64_t first; /* a lane that another thread has given back goes on with its numbers */
    (void)argument;
    OK(ih_lane_take(host, &lane));
    producer = ih_lane_producer(lane);
    consumer = ih_lane_consumer(lane);
    first = ih_producer_next_number(producer);
    OK(ih_consumer_fd(consumer, &fd));
    OK(ih_consumer_fd(consumer, &again));
    CHECK(fd == again && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    for (round = 0; round < ROUNDS; round++) {
        ih_record record;
        size_t count = 0;
        void *payload;
        OK(ih_producer_claim(producer, sizeof round, &payload));
        memcpy(payload, &round, sizeof round);
        OK(ih_producer_commit(producer, KIND_ECHO, NULL));
        while (count == 0) {
            int ready = 7;
            OK(ih_consumer_arm(consumer, &ready));
            CHECK(ready == 0 || ready == 1);
            if (ready == 0) {
                int woken = epoll_wait(epoll, &event, 1, 20000);
                CHECK(woken == 1 || (woken < 0 && errno == EINTR)); /* else the ring was lost */
                OK(ih_consumer_disarm(consumer));
            }
            OK(ih_consumer_poll(consumer, &record, 1, &count));
        }
        CHECK(record.number == first + (uint64_t)round && record.kind == IH_STATUS_OK);
        CHECK(memcmp(record.payload, &round, sizeof round) == 0);
        OK(ih_consumer_release(consumer));
    }
    close(epoll);
    OK(ih_lane_give_back(&lane));
    return NULL;
}

/* Calls that block, on the same host: they take bytes from the same doorbell. */
static void *call_thread(void *argument) {
    ih_lane *lane = NULL;
    int round, answer;
    (void)argument;
    OK(ih_lane_take(host, &lane));
    for (round = 0; round < ROUNDS; round++) {
        ih_call_reply reply;
        OK(ih_lane_call(lane, KIND_ECHO, &round, 4, 20 * IH_SECOND, &answer, 4, &reply));
        CHECK(answer == round);
    }
    OK(ih_lane_give_back(&lane));
    return NULL;
}

static void together(int kills) {
    void *(*bodies[4])(void *) = {loop_thread, loop_thread, call_thread, call_thread};
    ih_host_options wishes;
    pthread_t threads[4];
    pid_t engine = start_child("loop.sock", "1");
    int at;
    small_wishes(&wishes);
    wishes.lanes = 4;
    host = attach_to("loop.sock", &wishes);
    for (at = 0; at < 4; at++) CHECK(pthread_create(&threads[at], NULL, bodies[at], NULL) == 0);
    for (at = 0; at < kills; at++) {
        usleep(20000);
        kill_child(engine, SIGKILL);
        engine = start_child("loop.sock", "1");
    }
    for (at = 0; at < 4; at++) CHECK(pthread_join(threads[at], NULL) == 0);
    OK(ih_host_detach(&host));
    kill_child(engine, SIGTERM);
}

static int is_readable(int fd, int milliseconds) {
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    return poll(&waiting, 1, milliseconds) == 1;
}

struct watched {
    ih_lane *lane;
    ih_consumer *consumer;
    int fd;
};

static void watch(struct watched *watched) {
    int ready;
    watched->lane = NULL;
    OK(ih_lane_take(host, &watched->lane));
    watched->consumer = ih_lane_consumer(watched->lane);
    OK(ih_consumer_fd(watched->consumer, &watched->fd));
    OK(ih_consumer_arm(watched->consumer, &ready));
    CHECK(ready == 0 && !is_readable(watched->fd, 20));
}

static void request(struct watched *watched) {
    void *payload;
    OK(ih_producer_claim(ih_lane_producer(watched->lane), 1, &payload));
    OK(ih_producer_commit(ih_lane_producer(watched->lane), KIND_ECHO, NULL));
}

static void receive(struct watched *watched) {
    ih_record record;
    size_t count;
    int ready;
    CHECK(is_readable(watched->fd, 10000));
    OK(ih_consumer_disarm(watched->consumer));
    OK(ih_consumer_poll(watched->consumer, &record, 1, &count));
    CHECK(count == 1);
    OK(ih_consumer_release(watched->consumer));
    OK(ih_consumer_arm(watched->consumer, &ready));
    CHECK(ready == 0);
}

/* Wakes for others' rings until there are none any more. */
static void receive_nothing(struct watched *watched) {
    ih_record record;
    size_t count;
    int ready;
    while (is_readable(watched->fd, 20)) {
        OK(ih_consumer_disarm(watched->consumer));
        OK(ih_consumer_poll(watched->consumer, &record, 1, &count));
        CHECK(count == 0);
        OK(ih_consumer_arm(watched->consumer, &ready));
    }
}

static void *wait_in_vain(void *lane) {
    FAILS(ih_consumer_wait(ih_lane_consumer(lane), 2 * IH_SECOND), IH_EMPTY);
    return NULL;
}

static int calling;

static void *call_often(void *argument) {
    ih_lane *lane = argument;
    int round;
    for (round = 0; round < 300; round++) {
        ih_call_reply reply;
        OK(ih_lane_call(lane, KIND_ECHO, NULL, 0, 20 * IH_SECOND, NULL, 0, &reply));
    }
    __atomic_store_n(&calling, 0, __ATOMIC_RELEASE);
    return NULL;
}

/* One doorbell, and somebody else takes the byte: it was meant for all. */
static void others_are_told(void) {
    struct watched one, two;
    ih_host_options wishes;
    ih_lane *lane = NULL;
    pthread_t thread;
    pid_t engine = start_child("others.sock", "1");
    int ready;
    small_wishes(&wishes);
    wishes.lanes = 3;
    wishes.spin = 0;
    host = attach_to("others.sock", &wishes);
    watch(&one);
    watch(&two);
    request(&two);
    CHECK(is_readable(one.fd, 10000)); /* both hear it, and the wrong one is faster */
    OK(ih_consumer_disarm(one.consumer));
    OK(ih_consumer_arm(one.consumer, &ready));
    CHECK(ready == 0);
    receive(&two);
    receive_nothing(&one);
    /* A thread that sleeps takes it. */
    OK(ih_lane_take(host, &lane));
    CHECK(pthread_create(&thread, NULL, wait_in_vain, lane) == 0);
    usleep(200000);
    request(&two);
    usleep(200000);
    receive(&two);
    CHECK(pthread_join(thread, NULL) == 0);
    /* A loop takes it from a thread that sleeps. */
    calling = 1;
    CHECK(pthread_create(&thread, NULL, call_often, lane) == 0);
    while (__atomic_load_n(&calling, __ATOMIC_ACQUIRE)) {
        OK(ih_consumer_disarm(one.consumer));
        OK(ih_consumer_arm(one.consumer, &ready));
    }
    CHECK(pthread_join(thread, NULL) == 0);
    OK(ih_lane_give_back(&lane));
    OK(ih_lane_give_back(&one.lane));
    OK(ih_lane_give_back(&two.lane));
    OK(ih_host_detach(&host));
    kill_child(engine, SIGTERM);
}

/* Asleep in the loop when the engine goes for good: that is told, too. */
static void told_of_the_end(void) {
    ih_host_options wishes;
    pid_t engine = start_child("end.sock", "1");
    ih_lane *lane = NULL;
    struct pollfd waiting = {.events = POLLIN};
    ih_record record;
    size_t count;
    int ready;
    ih_status status = IH_OK;
    small_wishes(&wishes);
    wishes.patience_ns = 0;
    host = attach_to("end.sock", &wishes);
    OK(ih_lane_take(host, &lane));
    OK(ih_consumer_fd(ih_lane_consumer(lane), &waiting.fd));
    OK(ih_consumer_arm(ih_lane_consumer(lane), &ready));
    CHECK(ready == 0 && poll(&waiting, 1, 50) == 0); /* silent as long as nothing happens */
    kill_child(engine, SIGKILL);
    while (status == IH_OK) {
        CHECK(poll(&waiting, 1, 10000) == 1);
        OK(ih_consumer_disarm(ih_lane_consumer(lane)));
        status = ih_consumer_poll(ih_lane_consumer(lane), &record, 1, &count);
        if (status == IH_OK) OK(ih_consumer_arm(ih_lane_consumer(lane), &ready));
    }
    CHECK(status == IH_ERROR_GONE);
    OK(ih_lane_give_back(&lane));
    OK(ih_host_detach(&host));
}

int main(int argc, char **argv) {
    maybe_an_engine(argc, argv);
    together(0);
    together(5);
    others_are_told();
    told_of_the_end();
    return 0;
}
