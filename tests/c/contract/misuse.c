/* Misuse is refused where it can be seen, names itself, and breaks nothing. */
#define _DEFAULT_SOURCE
#include "check.h"

static struct serving serving;
static ih_host *host;
static ih_lane *lane;
static ih_producer *producer;
static ih_consumer *consumer;
static ih_call_reply reply;

static void take_lane(void) {
    OK(ih_lane_take(host, &lane));
    producer = ih_lane_producer(lane);
    consumer = ih_lane_consumer(lane);
}

static void still_works(void) {
    OK(ih_lane_call(lane, KIND_ECHO, "still", 5, IH_SECOND, NULL, 0, &reply));
    CHECK(reply.payload_bytes == 5);
}

static void open_claims(void) {
    void *payload;
    uint64_t number = 42;
    ih_record record;
    FAILS(ih_producer_commit(producer, 1, &number), IH_ERROR_NO_CLAIM);
    FAILS(ih_producer_commit_shorter(producer, 1, 0, &number), IH_ERROR_NO_CLAIM);
    FAILS(ih_producer_abort(producer), IH_ERROR_NO_CLAIM);
    FAILS(ih_lane_call_in_place(lane, 1, IH_SECOND, &record), IH_ERROR_NO_CLAIM);
    OK(ih_producer_claim(producer, 8, &payload));
    FAILS(ih_producer_claim(producer, 8, &payload), IH_ERROR_CLAIM_OPEN);
    FAILS(ih_producer_batch(producer), IH_ERROR_CLAIM_OPEN);
    FAILS(ih_lane_call(lane, 1, NULL, 0, IH_SECOND, NULL, 0, &reply), IH_ERROR_CLAIM_OPEN);
    FAILS(ih_lane_claim_wait(lane, 8, 0, &payload), IH_ERROR_CLAIM_OPEN);
    FAILS(ih_lane_wait(lane, 0), IH_ERROR_CLAIM_OPEN);
    OK(ih_producer_abort(producer));
    FAILS(ih_producer_abort(producer), IH_ERROR_NO_CLAIM);
    CHECK(number == 42);
    still_works();
}

/* Lines behind one another: a commit leaves nothing behind that could be taken for a claim. */
static void lines(void) {
    void *payload = NULL;
    uint64_t number = 0, before = ih_producer_next_number(producer);
    for (uint64_t sent = 0; sent < 200; sent++) {
        size_t bytes = sent % 50 == 49 ? 100 : (size_t)(sent % 49); /* now and then one of two lines */
        OK(ih_producer_claim(producer, bytes, &payload));
        FAILS(ih_producer_claim(producer, bytes, &payload), IH_ERROR_CLAIM_OPEN);
        if (sent % 3 == 0) { /* given up, and claimed again */
            OK(ih_producer_abort(producer));
            FAILS(ih_producer_commit(producer, KIND_ECHO, &number), IH_ERROR_NO_CLAIM);
            OK(ih_producer_claim(producer, bytes, &payload));
        }
        memset(payload, (int)sent, bytes);
        CHECK(number == (sent == 0 ? 0 : before + sent - 1));
        OK(ih_producer_commit(producer, KIND_ECHO, &number));
        CHECK(number == before + sent);
        FAILS(ih_producer_commit(producer, KIND_ECHO, &number), IH_ERROR_NO_CLAIM);
        FAILS(ih_producer_commit_shorter(producer, KIND_ECHO, 0, &number), IH_ERROR_NO_CLAIM);
        FAILS(ih_producer_abort(producer), IH_ERROR_NO_CLAIM);
        CHECK(number == before + sent && ih_lane_outstanding(lane) == 1);
        ih_record record;
        size_t count = 0;
        OK(ih_lane_wait(lane, IH_SECOND));
        OK(ih_consumer_poll(consumer, &record, 1, &count));
        CHECK(count == 1 && record.number == number && record.payload_bytes == bytes);
        for (size_t at = 0; at < bytes; at++) CHECK(((const unsigned char *)record.payload)[at] == sent);
        OK(ih_consumer_release(consumer));
    }
    still_works();
}

static void open_batches(void) {
    void *payload;
    uint64_t next = 42;
    ih_record record;
    FAILS(ih_producer_publish(producer, &next), IH_ERROR_NO_BATCH);
    FAILS(ih_producer_abort_batch(producer), IH_ERROR_NO_BATCH);
    OK(ih_producer_batch(producer));
    FAILS(ih_producer_batch(producer), IH_ERROR_BATCH_OPEN);
    FAILS(ih_lane_call(lane, 1, NULL, 0, IH_SECOND, NULL, 0, &reply), IH_ERROR_BATCH_OPEN);
    OK(ih_producer_claim(producer, 8, &payload));
    FAILS(ih_producer_claim(producer, 8, &payload), IH_ERROR_CLAIM_OPEN);
    FAILS(ih_producer_publish(producer, &next), IH_ERROR_CLAIM_OPEN);
    FAILS(ih_producer_abort_batch(producer), IH_ERROR_CLAIM_OPEN);
    FAILS(ih_lane_call_in_place(lane, 1, IH_SECOND, &record), IH_ERROR_BATCH_OPEN);
    OK(ih_producer_abort(producer));
    OK(ih_producer_abort_batch(producer));
    FAILS(ih_producer_publish(producer, &next), IH_ERROR_NO_BATCH);
    CHECK(next == 42);
    still_works();
}

static void unreleased(void) {
    ih_record record, other;
    size_t count = 42;
    int fd, ready;
    void *payload;
    OK(ih_producer_claim(producer, 3, &payload));
    memcpy(payload, "abc", 3);
    OK(ih_producer_commit(producer, KIND_ECHO, NULL));
    OK(ih_consumer_wait(consumer, IH_SECOND));
    OK(ih_consumer_poll(consumer, &record, 1, &count));
    CHECK(count == 1);
    count = 42;
    FAILS(ih_consumer_poll(consumer, &other, 1, &count), IH_ERROR_UNRELEASED);
    FAILS(ih_consumer_peek(consumer, &other), IH_ERROR_UNRELEASED);
    FAILS(ih_consumer_wait(consumer, 0), IH_ERROR_UNRELEASED);
    FAILS(ih_lane_wait(lane, 0), IH_ERROR_UNRELEASED);
    FAILS(ih_lane_call(lane, 1, NULL, 0, IH_SECOND, NULL, 0, &reply), IH_ERROR_UNRELEASED);
    FAILS(ih_consumer_arm(consumer, &ready), IH_ERROR_UNRELEASED);
    CHECK(count == 42 && memcmp(record.payload, "abc", 3) == 0);
    OK(ih_producer_claim(producer, 1, &payload)); /* the other half goes on meanwhile */
    OK(ih_producer_abort(producer));
    OK(ih_consumer_release(consumer));
    FAILS(ih_consumer_arm(consumer, &ready), IH_ERROR_ARGUMENT); /* nobody asked for its descriptor */
    FAILS(ih_consumer_disarm(consumer), IH_ERROR_ARGUMENT);
    OK(ih_consumer_fd(consumer, &fd));
    CHECK(fd >= 0);
    still_works();
}

static void shared(void) {
    ih_shared *one = NULL, *two = NULL;
    ih_producer *held = NULL, *again = NULL;
    void *payload;
    uint64_t number = 0, next = 0;
    OK(ih_producer_claim(producer, 1, &payload));
    FAILS(ih_lane_share(lane, &one), IH_ERROR_CLAIM_OPEN);
    OK(ih_producer_abort(producer));
    OK(ih_lane_share(lane, &one));
    FAILS(ih_lane_share(lane, &two), IH_ERROR_SHARED);
    FAILS(ih_producer_claim(producer, 1, &payload), IH_ERROR_SHARED);
    FAILS(ih_producer_batch(producer), IH_ERROR_SHARED);
    FAILS(ih_lane_call(lane, 1, NULL, 0, IH_SECOND, NULL, 0, &reply), IH_ERROR_SHARED);
    FAILS(ih_lane_wait(lane, 0), IH_ERROR_SHARED);
    FAILS(ih_lane_claim_wait(lane, 1, 0, &payload), IH_ERROR_SHARED);
    CHECK(ih_producer_next_number(producer) == 0 && ih_last_error()->status == IH_ERROR_SHARED);
    FAILS(ih_shared_unlock(one, NULL), IH_ERROR_LOCK);
    OK(ih_shared_lock(one, &held));
    CHECK(held == producer);
    FAILS(ih_shared_lock(one, &again), IH_ERROR_LOCK);
    FAILS(ih_shared_send(one, 1, NULL, 0, &number), IH_ERROR_LOCK);
    FAILS(ih_producer_publish(held, NULL), IH_ERROR_SHARED);
    FAILS(ih_producer_abort_batch(held), IH_ERROR_SHARED);
    FAILS(ih_lane_give_back(&lane), IH_ERROR_LOCK);
    CHECK(lane != NULL && again == NULL && two == NULL && number == 0);
    OK(ih_producer_claim(held, 1, &payload));
    OK(ih_producer_commit(held, KIND_ECHO, &number));
    OK(ih_producer_claim(held, 1, &payload)); /* still open: the unlock aborts it */
    OK(ih_shared_unlock(one, &next));
    CHECK(next == number + 1);
    OK(ih_consumer_wait(consumer, IH_SECOND));
    CHECK(ih_lane_outstanding(lane) == 1);
}

/* Handles after their end, twice, and of another kind. */
static void ended(void) {
    ih_host *stale_host = host;
    ih_lane *stale_lane, *twice;
    ih_producer *stale_producer;
    ih_consumer *stale_consumer;
    ih_shared *stale_shared;
    ih_terms terms;
    ih_record record;
    void *payload = &record;
    size_t count = 42;
    uint64_t number = 42;
    take_lane();
    still_works();
    OK(ih_lane_share(lane, &stale_shared));
    stale_lane = twice = lane;
    stale_producer = producer;
    stale_consumer = consumer;
    OK(ih_lane_give_back(&lane));
    CHECK(lane == NULL);
    FAILS(ih_lane_give_back(&twice), IH_ERROR_HANDLE);
    CHECK(twice == stale_lane);
    FAILS(ih_lane_call(stale_lane, 1, NULL, 0, IH_SECOND, NULL, 0, &reply), IH_ERROR_HANDLE);
    FAILS(ih_lane_wait(stale_lane, 0), IH_ERROR_HANDLE);
    CHECK(ih_lane_producer(stale_lane) == NULL && ih_lane_consumer(stale_lane) == NULL);
    CHECK(ih_lane_index(stale_lane) == UINT32_MAX && ih_lane_outstanding(stale_lane) == 0);
    FAILS(ih_producer_claim(stale_producer, 1, &payload), IH_ERROR_HANDLE);
    FAILS(ih_producer_commit(stale_producer, 1, &number), IH_ERROR_HANDLE);
    FAILS(ih_consumer_poll(stale_consumer, &record, 1, &count), IH_ERROR_HANDLE);
    FAILS(ih_consumer_release(stale_consumer), IH_ERROR_HANDLE);
    FAILS(ih_shared_send(stale_shared, 1, NULL, 0, &number), IH_ERROR_HANDLE);
    FAILS(ih_shared_unlock(stale_shared, &number), IH_ERROR_HANDLE);
    CHECK(payload == &record && count == 42 && number == 42);
    take_lane();
    FAILS(ih_lane_wait((ih_lane *)host, 0), IH_ERROR_HANDLE);
    FAILS(ih_host_terms((ih_host *)lane, &terms), IH_ERROR_HANDLE);
    FAILS(ih_producer_claim((ih_producer *)consumer, 1, &payload), IH_ERROR_HANDLE);
    FAILS(ih_consumer_release((ih_consumer *)producer), IH_ERROR_HANDLE);
    FAILS(ih_engine_run((ih_engine *)host), IH_ERROR_HANDLE);
    still_works();
    OK(ih_lane_give_back(&lane));
    OK(ih_host_detach(&host));
    FAILS(ih_host_detach(&stale_host), IH_ERROR_HANDLE);
    FAILS(ih_host_terms(stale_host, &terms), IH_ERROR_HANDLE);
    FAILS(ih_lane_take(stale_host, &lane), IH_ERROR_HANDLE);
}

/* What is open when a lane is given back is aborted; the next who takes it finds it clean. */
static void given_back_open(void) {
    ih_record record;
    size_t count;
    void *payload;
    int way;
    for (way = 0; way < 3; way++) {
        take_lane();
        if (way == 0) OK(ih_producer_claim(producer, 400, &payload));
        if (way == 1) {
            OK(ih_producer_batch(producer));
            OK(ih_producer_claim(producer, 400, &payload));
            OK(ih_producer_commit(producer, KIND_ECHO, NULL));
            OK(ih_producer_claim(producer, 400, &payload));
        }
        if (way == 2) {
            OK(ih_producer_claim(producer, 4, &payload));
            OK(ih_producer_commit(producer, KIND_ECHO, NULL));
            OK(ih_consumer_wait(consumer, IH_SECOND));
            OK(ih_consumer_poll(consumer, &record, 1, &count));
        }
        OK(ih_lane_give_back(&lane));
        take_lane();
        still_works();
        OK(ih_lane_give_back(&lane));
    }
}

static void replies(void) {
    void *payload = &reply;
    OK(ih_lane_call(lane, KIND_STALE, "kept", 4, IH_SECOND, NULL, 0, &reply));
    CHECK(kept_reply != NULL);
    FAILS(ih_reply_claim(kept_reply, 1, &payload), IH_ERROR_HANDLE);
    FAILS(ih_reply_write(kept_reply, "x", 1), IH_ERROR_HANDLE);
    CHECK(ih_reply_limit(kept_reply) == 0 && payload == &reply);
}

static void engines(void) {
    ih_engine *stale = serving.engine, *twice = serving.engine;
    FAILS(ih_engine_run(serving.engine), IH_ERROR_RUNNING);
    FAILS(ih_engine_free(&serving.engine), IH_ERROR_RUNNING);
    CHECK(serving.engine == stale);
    OK(ih_engine_stop(serving.engine));
    CHECK(pthread_join(serving.thread, NULL) == 0);
    OK(ih_engine_stop(serving.engine)); /* once more, which is nothing */
    FAILS(ih_engine_run(serving.engine), IH_ERROR_RUNNING);
    OK(ih_engine_free(&serving.engine));
    FAILS(ih_engine_free(&twice), IH_ERROR_HANDLE);
    FAILS(ih_engine_run(stale), IH_ERROR_HANDLE);
    CHECK(ih_engine_stop(stale) == IH_ERROR_HANDLE);
}

static void attach(void) {
    ih_host_options options;
    OK(ih_host_options_init(&options));
    options.request_capacity = options.reply_capacity = IH_MIN_CAPACITY;
    OK(ih_host_attach(serving.path, &options, &host));
}

int main(void) {
    ih_engine_options options;
    ih_engine *unused = NULL;
    start(&serving, "misuse.sock");
    attach();
    take_lane();
    open_claims();
    lines();
    open_batches();
    unreleased();
    replies();
    shared();
    OK(ih_lane_give_back(&lane));
    given_back_open();
    ended();
    engines();
    usual_options(&options, &serving, "unused.sock");
    OK(ih_engine_bind(&options, &unused));
    OK(ih_engine_free(&unused)); /* bound and never run */
    OK(ih_engine_bind(&options, &unused));
    OK(ih_engine_stop(unused)); /* stopped before it runs: it ends at once */
    OK(ih_engine_run(unused));
    OK(ih_engine_free(&unused));
    return 0;
}
