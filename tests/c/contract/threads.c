/* Threads: a shared producer, and the two halves of a lane on two threads. */
#define _DEFAULT_SOURCE
#include "check.h"

#define THREADS 4
#define EACH 2000
#define GROUP 16

static ih_shared *shared;
static ih_producer *producer;

/* Thread and count, in the payload. */
static void *send_singly(void *argument) {
    uint64_t payload[2] = {(uint64_t)(uintptr_t)argument, 0};
    while (payload[1] < EACH) {
        ih_status status = ih_shared_send(shared, KIND_ECHO, payload, sizeof payload, NULL);
        CHECK(status == IH_OK || status == IH_FULL);
        payload[1] += status == IH_OK;
    }
    return NULL;
}

static void *send_in_groups(void *argument) {
    uint64_t count = 0;
    while (count < EACH) {
        ih_producer *held;
        int at;
        OK(ih_shared_lock(shared, &held));
        for (at = 0; at < GROUP && count < EACH; at++) {
            void *payload;
            ih_status status = ih_producer_claim(held, 16, &payload);
            CHECK(status == IH_OK || status == IH_FULL);
            if (status == IH_FULL) break;
            ((uint64_t *)payload)[0] = (uint64_t)(uintptr_t)argument;
            ((uint64_t *)payload)[1] = count++;
            OK(ih_producer_commit(held, KIND_ECHO, NULL));
        }
        OK(ih_shared_unlock(shared, NULL));
    }
    return NULL;
}

static void *send_alone(void *argument) {
    uint64_t count = 0;
    while (count < EACH) {
        void *payload;
        ih_status status = ih_producer_claim(producer, 16, &payload);
        CHECK(status == IH_OK || status == IH_FULL);
        if (status == IH_FULL) continue;
        ((uint64_t *)payload)[0] = (uint64_t)(uintptr_t)argument;
        ((uint64_t *)payload)[1] = count++;
        OK(ih_producer_commit(producer, KIND_ECHO, NULL));
    }
    return NULL;
}

/* Every request of every thread gets one reply, in the order in which its thread sent it. */
static void receive(ih_consumer *consumer, int threads) {
    uint64_t next[THREADS] = {0};
    size_t received = 0;
    while (received < (size_t)threads * EACH) {
        ih_record records[32];
        size_t count, at;
        OK(ih_consumer_wait(consumer, 10 * IH_SECOND));
        OK(ih_consumer_poll(consumer, records, 32, &count));
        for (at = 0; at < count; at++) {
            uint64_t payload[2];
            CHECK(records[at].payload_bytes == sizeof payload);
            memcpy(payload, records[at].payload, sizeof payload);
            CHECK(payload[0] < THREADS && payload[1] == next[payload[0]]++);
            CHECK(records[at].number == received + at + 1);
        }
        received += count;
        OK(ih_consumer_release(consumer));
    }
}

static void run(const char *path, void *(*body)(void *), int threads) {
    ih_host *host = NULL;
    ih_lane *lane = NULL;
    pthread_t thread[THREADS];
    int at;
    OK(ih_host_attach(path, NULL, &host));
    OK(ih_lane_take(host, &lane));
    producer = ih_lane_producer(lane);
    if (threads > 1) OK(ih_lane_share(lane, &shared));
    for (at = 0; at < threads; at++) {
        CHECK(pthread_create(&thread[at], NULL, body, (void *)(uintptr_t)at) == 0);
    }
    receive(ih_lane_consumer(lane), threads);
    for (at = 0; at < threads; at++) CHECK(pthread_join(thread[at], NULL) == 0);
    CHECK(ih_lane_outstanding(lane) == 0);
    OK(ih_lane_give_back(&lane));
    OK(ih_host_detach(&host));
}

int main(void) {
    struct serving serving;
    start(&serving, "threads.sock");
    run(serving.path, send_singly, THREADS);
    run(serving.path, send_in_groups, THREADS);
    run(serving.path, send_alone, 1);
    stop(&serving);
    return 0;
}
