/* What a host does all day: calls, claims, batches, polls; and the ordinary answers. */
#define _DEFAULT_SOURCE
#include "check.h"

#define LIMIT 512 /* an eighth of the smallest ring */

static ih_host *host;
static ih_lane *lane;
static ih_producer *producer;
static ih_consumer *consumer;

static void attach(const char *path) {
    ih_host_options options;
    OK(ih_host_options_init(&options));
    CHECK(options.lanes == 1 && options.request_capacity == IH_DEFAULT_CAPACITY);
    options.lanes = 2;
    options.request_capacity = options.reply_capacity = IH_MIN_CAPACITY;
    options.name = "calls.c";
    OK(ih_host_attach(path, &options, &host));
    OK(ih_lane_take(host, &lane));
    producer = ih_lane_producer(lane);
    consumer = ih_lane_consumer(lane);
    CHECK(producer != NULL && consumer != NULL && ih_lane_index(lane) == 0);
    CHECK(ih_producer_payload_limit(producer) == LIMIT);
}

static void terms(void) {
    ih_terms terms;
    memset(&terms, 0xff, sizeof terms);
    OK(ih_host_terms(host, &terms));
    CHECK(terms.epoch == 1 && terms.lanes == 2 && terms.shards == 1);
    CHECK(terms.request_capacity == IH_MIN_CAPACITY && terms.reply_capacity == IH_MIN_CAPACITY);
    CHECK(terms.request_page_bytes == 4096 || terms.request_page_bytes == 2097152);
    CHECK(terms.request_bytes % terms.request_page_bytes == 0 && terms.engine_pid == (uint32_t)getpid());
    CHECK(strcmp(terms.service, "echo") == 0 && terms.service_version == 3);
    CHECK(terms.event_rings == 0 && terms.event_capacity == 0);
    CHECK(terms.reserved[0] == 0 && terms.reserved[6] == 0);
}

static void calls(void) {
    ih_call_reply reply;
    uint8_t payload[LIMIT], buffer[LIMIT];
    size_t bytes;
    uint16_t status = 77;
    for (bytes = 0; bytes <= LIMIT; bytes++) {
        memset(payload, (int)bytes, sizeof payload);
        memset(buffer, 0xee, sizeof buffer);
        OK(ih_lane_call(lane, KIND_ECHO, payload, bytes, IH_SECOND, buffer, sizeof buffer, &reply));
        CHECK(reply.status == IH_STATUS_OK && reply.copied == bytes && reply.payload_bytes == bytes);
        CHECK(memcmp(payload, buffer, bytes) == 0);
        CHECK(bytes == LIMIT || buffer[bytes] == 0xee);
    }
    OK(ih_lane_call(lane, KIND_ECHO, "hello", 5, IH_FOREVER, buffer, 2, &reply));
    CHECK(reply.copied == 2 && reply.payload_bytes == 5 && memcmp(buffer, "he", 2) == 0);
    OK(ih_lane_call(lane, KIND_STATUS, &status, sizeof status, IH_SECOND, NULL, 0, &reply));
    CHECK(reply.status == 77 && reply.copied == 0 && reply.payload_bytes == 2);
    OK(ih_lane_call(lane, KIND_LARGE, NULL, 0, IH_SECOND, NULL, 0, &reply));
    CHECK(reply.status == IH_STATUS_TOO_LARGE);
    status = IH_STATUS_POISON; /* a code of the engine's own, which a handler cannot say */
    OK(ih_lane_call(lane, KIND_STATUS, &status, sizeof status, IH_SECOND, NULL, 0, &reply));
    CHECK(reply.status == IH_STATUS_PANIC);
    CHECK(ih_lane_outstanding(lane) == 0);
}

static void in_place(void) {
    ih_record record;
    void *payload;
    OK(ih_producer_claim(producer, 100, &payload));
    memset(payload, 5, 100);
    OK(ih_lane_call_in_place(lane, KIND_ECHO, IH_SECOND, &record));
    CHECK(record.payload_bytes == 100 && record.kind == 0 && record.flags == 0);
    CHECK(((const uint8_t *)record.payload)[99] == 5);
    OK(ih_consumer_release(consumer));
    OK(ih_lane_claim_wait(lane, 8, IH_SECOND, &payload));
    OK(ih_lane_call_in_place(lane, KIND_ECHO, IH_SECOND, &record));
    CHECK(record.payload_bytes == 8);
    OK(ih_consumer_release(consumer));
    CHECK(ih_lane_outstanding(lane) == 0);
}

/* Takes `expected` replies whose numbers follow `first`. */
static void take(uint64_t first, size_t expected) {
    ih_record records[4];
    size_t count, at, taken = 0;
    while (taken < expected) {
        OK(ih_consumer_wait(consumer, IH_SECOND));
        OK(ih_consumer_peek(consumer, &records[0]));
        CHECK(records[0].number == first + taken);
        OK(ih_consumer_poll(consumer, records, 4, &count));
        CHECK(count > 0 && count <= 4);
        for (at = 0; at < count; at++) CHECK(records[at].number == first + taken + at);
        taken += count;
        OK(ih_consumer_release(consumer));
    }
    CHECK(taken == expected);
    OK(ih_consumer_poll(consumer, records, 4, &count));
    CHECK(count == 0);
    FAILS(ih_consumer_peek(consumer, &records[0]), IH_EMPTY);
}

static void claims(void) {
    uint64_t number = 0, first = ih_producer_next_number(producer);
    ih_record record;
    size_t count;
    void *payload;
    OK(ih_producer_claim(producer, 64, &payload));
    CHECK((uintptr_t)payload % IH_LINE == IH_HEADER_BYTES);
    OK(ih_producer_abort(producer));
    CHECK(ih_producer_next_number(producer) == first);
    OK(ih_producer_claim(producer, 64, &payload));
    memcpy(payload, "shorter", 7);
    OK(ih_producer_commit_shorter(producer, KIND_ECHO, 7, &number));
    CHECK(number == first && ih_producer_next_number(producer) == first + 1);
    CHECK(ih_lane_outstanding(lane) == 1);
    OK(ih_lane_wait(lane, IH_SECOND));
    OK(ih_consumer_poll(consumer, &record, 1, &count));
    CHECK(count == 1 && record.number == first && record.payload_bytes == 7);
    CHECK(memcmp(record.payload, "shorter", 7) == 0 && ih_lane_outstanding(lane) == 0);
    OK(ih_consumer_release(consumer));
    OK(ih_consumer_release(consumer)); /* nothing is left to release, which is fine */
    FAILS(ih_lane_wait(lane, IH_SECOND), IH_EMPTY); /* nothing is under way: at once */
    FAILS(ih_consumer_wait(consumer, 0), IH_EMPTY);
}

static void batches(void) {
    uint64_t number, next, first = ih_producer_next_number(producer);
    int at;
    void *payload;
    OK(ih_producer_batch(producer));
    for (at = 0; at < 10; at++) {
        OK(ih_producer_claim(producer, 8, &payload));
        OK(ih_producer_commit(producer, KIND_ECHO, &number));
        CHECK(number == first + (uint64_t)at && ih_producer_next_number(producer) == number + 1);
    }
    OK(ih_producer_claim(producer, 8, &payload));
    OK(ih_producer_abort(producer)); /* the rest of the batch stays */
    OK(ih_producer_publish(producer, &next));
    CHECK(next == first + 10);
    take(first, 10);
    OK(ih_producer_batch(producer));
    OK(ih_producer_claim(producer, 8, &payload));
    OK(ih_producer_commit(producer, KIND_ECHO, NULL));
    OK(ih_producer_abort_batch(producer));
    CHECK(ih_producer_next_number(producer) == first + 10);
    OK(ih_producer_batch(producer));
    OK(ih_producer_publish(producer, NULL)); /* an empty one */
    OK(ih_producer_claim(producer, 8, &payload));
    OK(ih_producer_commit(producer, KIND_ECHO, &number));
    CHECK(number == first + 10);
    take(number, 1);
}

/* Fills the request ring while nobody takes replies: full, no room, and why. */
static void full(void) {
    uint64_t committed = 0, first = ih_producer_next_number(producer);
    void *payload = &committed;
    ih_call_reply reply;
    ih_status status;
    do {
        while ((status = ih_lane_claim_wait(lane, 300, 50 * IH_MILLISECOND, &payload)) == IH_OK) {
            OK(ih_producer_commit(producer, KIND_ECHO, NULL));
            committed++;
            payload = &committed;
        }
        CHECK(status == IH_ERROR_REPLIES_WAITING && payload == &committed && committed > 4);
        /* The engine may be about to say that it has taken the last requests that it can answer. */
        usleep(100000);
        status = ih_producer_claim(producer, 300, &payload);
        if (status == IH_OK) {
            OK(ih_producer_abort(producer));
            payload = &committed;
        }
    } while (status == IH_OK);
    CHECK(status == IH_FULL && payload == &committed);
    FAILS(ih_lane_call(lane, KIND_ECHO, NULL, 0, IH_SECOND, NULL, 0, &reply), IH_ERROR_OUTSTANDING);
    OK(ih_producer_batch(producer));
    FAILS(ih_producer_claim(producer, 300, &payload), IH_FULL);
    OK(ih_producer_publish(producer, NULL));
    CHECK(payload == &committed && ih_lane_outstanding(lane) == committed);
    take(first, committed);
    /* An engine that is busy: there is no room, and no reply waits. */
    first = ih_producer_next_number(producer);
    committed = 0;
    OK(ih_producer_claim(producer, 300, &payload));
    OK(ih_producer_commit(producer, KIND_SLEEP, NULL));
    while (ih_producer_claim(producer, 300, &payload) == IH_OK) {
        OK(ih_producer_commit(producer, KIND_SLEEP, NULL));
        committed++;
    }
    FAILS(ih_lane_claim_wait(lane, 300, IH_MILLISECOND, &payload), IH_NO_ROOM);
    take(first, committed + 1);
}

static void limits(void) {
    void *payload = &lane;
    ih_call_reply reply;
    ih_lane *second = NULL, *third = NULL;
    ih_host_counts counts;
    uint8_t large[LIMIT + 1] = {0};
    FAILS(ih_producer_claim(producer, LIMIT + 1, &payload), IH_ERROR_TOO_LARGE);
    CHECK(ih_last_error()->limit == LIMIT && payload == &lane);
    FAILS(ih_producer_claim(producer, SIZE_MAX, &payload), IH_ERROR_TOO_LARGE);
    FAILS(ih_lane_call(lane, 1, large, sizeof large, IH_SECOND, NULL, 0, &reply), IH_ERROR_TOO_LARGE);
    FAILS(ih_lane_call(lane, 1, large, SIZE_MAX, IH_SECOND, NULL, 0, &reply), IH_ERROR_ARGUMENT);
    OK(ih_producer_claim(producer, 10, &payload));
    FAILS(ih_producer_commit_shorter(producer, 1, 11, NULL), IH_ERROR_TOO_LARGE);
    CHECK(ih_last_error()->limit == 10);
    OK(ih_producer_abort(producer)); /* the claim was still open */
    OK(ih_lane_take(host, &second));
    FAILS(ih_lane_take(host, &third), IH_ERROR_LANES_EXHAUSTED);
    CHECK(ih_last_error()->limit == 2 && third == NULL);
    OK(ih_lane_give_back(&second));
    OK(ih_lane_take(host, &third));
    OK(ih_lane_give_back(&third));
    OK(ih_host_read_counts(host, &counts));
    CHECK(counts.late_replies == 0 && counts.resumes == 0 && counts.reserved[4] == 0);
    FAILS(ih_lane_call(lane, KIND_SLEEP, "x", 1, IH_MILLISECOND, NULL, 0, &reply), IH_DEADLINE);
    OK(ih_lane_call(lane, KIND_ECHO, "y", 1, IH_SECOND, large, 1, &reply));
    CHECK(large[0] == 'y'); /* and not the late reply's */
    OK(ih_host_read_counts(host, &counts));
    CHECK(counts.late_replies == 1);
}

int main(void) {
    struct serving serving;
    ih_engine_options options;
    ih_engine_counts counts;
    CHECK(ih_version() == IH_VERSION_NUMBER && strcmp(ih_version_string(), IH_VERSION_STRING) == 0);
    usual_options(&options, &serving, "calls.sock");
    options.service = "echo";
    options.service_version = 3;
    start_with(&serving, &options);
    attach(serving.path);
    terms();
    calls();
    in_place();
    claims();
    batches();
    full();
    limits();
    OK(ih_host_detach(&host)); /* the lane outlives it */
    calls();
    OK(ih_lane_give_back(&lane));
    OK(ih_engine_stop(serving.engine));
    CHECK(pthread_join(serving.thread, NULL) == 0);
    OK(ih_engine_read_counts(serving.engine, &counts));
    CHECK(counts.attached == 1 && counts.detached == 1 && counts.requests > 1000);
    CHECK(counts.deaths == 0 && counts.corrupt_lanes == 0);
    OK(ih_engine_free(&serving.engine));
    return 0;
}
