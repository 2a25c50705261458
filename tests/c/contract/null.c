/* NULL has an answer everywhere, and leaves every output alone. */
#define _DEFAULT_SOURCE
#include "check.h"

static uint16_t handler(void *context, const ih_request *request, ih_reply *reply) {
    (void)context, (void)request, (void)reply;
    return 0;
}

static void values(void) {
    CHECK(ih_lane_producer(NULL) == NULL);
    CHECK(ih_last_error()->status == IH_ERROR_NULL);
    CHECK(ih_lane_consumer(NULL) == NULL);
    CHECK(ih_lane_outstanding(NULL) == 0);
    CHECK(ih_lane_index(NULL) == UINT32_MAX);
    CHECK(ih_producer_payload_limit(NULL) == 0);
    CHECK(ih_producer_next_number(NULL) == 0);
    CHECK(ih_reply_limit(NULL) == 0);
    CHECK(strlen(ih_strerror(12345)) > 5);
    CHECK(ih_last_error() != NULL && ih_last_error()->message != NULL);
}

static void handles(void) {
    uint64_t number = 42;
    size_t count = 42;
    int flag = 42;
    void *payload = &number;
    ih_host *host = NULL;
    ih_lane *lane = NULL;
    ih_shared *shared = NULL;
    ih_producer *producer = NULL;
    ih_terms terms;
    ih_host_counts counts;
    ih_engine_counts engine_counts;
    ih_record record;
    ih_call_reply reply;
    FAILS(ih_host_terms(NULL, &terms), IH_ERROR_NULL);
    FAILS(ih_host_read_counts(NULL, &counts), IH_ERROR_NULL);
    FAILS(ih_lane_take(NULL, &lane), IH_ERROR_NULL);
    FAILS(ih_lane_call(NULL, 1, "x", 1, 1, NULL, 0, &reply), IH_ERROR_NULL);
    FAILS(ih_lane_call_in_place(NULL, 1, 1, &record), IH_ERROR_NULL);
    FAILS(ih_lane_claim_wait(NULL, 1, 1, &payload), IH_ERROR_NULL);
    FAILS(ih_lane_wait(NULL, 1), IH_ERROR_NULL);
    FAILS(ih_lane_share(NULL, &shared), IH_ERROR_NULL);
    FAILS(ih_producer_claim(NULL, 1, &payload), IH_ERROR_NULL);
    FAILS(ih_producer_commit(NULL, 1, &number), IH_ERROR_NULL);
    FAILS(ih_producer_commit_shorter(NULL, 1, 0, &number), IH_ERROR_NULL);
    FAILS(ih_producer_abort(NULL), IH_ERROR_NULL);
    FAILS(ih_producer_batch(NULL), IH_ERROR_NULL);
    FAILS(ih_producer_publish(NULL, &number), IH_ERROR_NULL);
    FAILS(ih_producer_abort_batch(NULL), IH_ERROR_NULL);
    FAILS(ih_consumer_poll(NULL, &record, 1, &count), IH_ERROR_NULL);
    FAILS(ih_consumer_peek(NULL, &record), IH_ERROR_NULL);
    FAILS(ih_consumer_release(NULL), IH_ERROR_NULL);
    FAILS(ih_consumer_wait(NULL, 1), IH_ERROR_NULL);
    FAILS(ih_consumer_fd(NULL, &flag), IH_ERROR_NULL);
    FAILS(ih_consumer_arm(NULL, &flag), IH_ERROR_NULL);
    FAILS(ih_consumer_disarm(NULL), IH_ERROR_NULL);
    FAILS(ih_shared_send(NULL, 1, "x", 1, &number), IH_ERROR_NULL);
    FAILS(ih_shared_lock(NULL, &producer), IH_ERROR_NULL);
    FAILS(ih_shared_unlock(NULL, &number), IH_ERROR_NULL);
    FAILS(ih_engine_run(NULL), IH_ERROR_NULL);
    CHECK(ih_engine_stop(NULL) == IH_ERROR_NULL);
    FAILS(ih_engine_read_counts(NULL, &engine_counts), IH_ERROR_NULL);
    FAILS(ih_reply_claim(NULL, 1, &payload), IH_ERROR_NULL);
    FAILS(ih_reply_write(NULL, "x", 1), IH_ERROR_NULL);
    CHECK(number == 42 && count == 42 && flag == 42 && payload == &number);
    CHECK(host == NULL && lane == NULL && shared == NULL && producer == NULL);
}

/* Ending NULL through a pointer is done already; ending through NULL is a mistake. */
static void ends(void) {
    ih_host *host = NULL;
    ih_lane *lane = NULL;
    ih_engine *engine = NULL;
    OK(ih_host_detach(&host));
    OK(ih_lane_give_back(&lane));
    OK(ih_engine_free(&engine));
    FAILS(ih_host_detach(NULL), IH_ERROR_NULL);
    FAILS(ih_lane_give_back(NULL), IH_ERROR_NULL);
    FAILS(ih_engine_free(NULL), IH_ERROR_NULL);
}

static void options(void) {
    ih_host *host = NULL;
    ih_engine *engine = NULL;
    ih_engine_options options;
    FAILS(ih_host_options_init(NULL), IH_ERROR_NULL);
    FAILS(ih_engine_options_init(NULL), IH_ERROR_NULL);
    FAILS(ih_host_attach(NULL, NULL, &host), IH_ERROR_NULL);
    FAILS(ih_host_attach("/nobody", NULL, NULL), IH_ERROR_NULL);
    OK(ih_engine_options_init(&options));
    FAILS(ih_engine_bind(NULL, &engine), IH_ERROR_NULL);
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_NULL);
    options.path = "/nobody/nowhere.sock";
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_NULL);
    options.handler = handler;
    FAILS(ih_engine_bind(&options, NULL), IH_ERROR_NULL);
    options.core_count = 1;
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_NULL);
    options.core_count = 0;
    options.allowed_uid_count = 1;
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_NULL);
    CHECK(host == NULL && engine == NULL);
}

/* Live handles, and NULL where an output or bytes must be. */
static void outputs(void) {
    struct serving serving;
    ih_host *host = NULL;
    ih_lane *lane = NULL;
    ih_shared *shared = NULL;
    ih_producer *producer;
    ih_consumer *consumer;
    ih_record record;
    ih_call_reply reply;
    void *payload;
    size_t count = 42;
    start(&serving, "null.sock");
    OK(ih_host_attach(serving.path, NULL, &host));
    FAILS(ih_host_terms(host, NULL), IH_ERROR_NULL);
    FAILS(ih_host_read_counts(host, NULL), IH_ERROR_NULL);
    FAILS(ih_lane_take(host, NULL), IH_ERROR_NULL);
    OK(ih_lane_take(host, &lane));
    producer = ih_lane_producer(lane);
    consumer = ih_lane_consumer(lane);
    FAILS(ih_lane_call(lane, 1, NULL, 1, IH_SECOND, NULL, 0, &reply), IH_ERROR_NULL);
    FAILS(ih_lane_call(lane, 1, "x", 1, IH_SECOND, NULL, 1, &reply), IH_ERROR_NULL);
    FAILS(ih_lane_call(lane, 1, "x", 1, IH_SECOND, NULL, 0, NULL), IH_ERROR_NULL);
    FAILS(ih_lane_call_in_place(lane, 1, IH_SECOND, NULL), IH_ERROR_NULL);
    FAILS(ih_lane_claim_wait(lane, 1, 1, NULL), IH_ERROR_NULL);
    FAILS(ih_lane_share(lane, NULL), IH_ERROR_NULL);
    FAILS(ih_producer_claim(producer, 1, NULL), IH_ERROR_NULL);
    FAILS(ih_consumer_poll(consumer, NULL, 1, &count), IH_ERROR_NULL);
    FAILS(ih_consumer_poll(consumer, &record, 1, NULL), IH_ERROR_NULL);
    FAILS(ih_consumer_peek(consumer, NULL), IH_ERROR_NULL);
    FAILS(ih_consumer_fd(consumer, NULL), IH_ERROR_NULL);
    FAILS(ih_consumer_arm(consumer, NULL), IH_ERROR_NULL);
    FAILS(ih_engine_read_counts(serving.engine, NULL), IH_ERROR_NULL);
    CHECK(count == 42);
    /* Where NULL is allowed it is. */
    OK(ih_consumer_poll(consumer, NULL, 0, &count));
    CHECK(count == 0);
    OK(ih_lane_call(lane, KIND_ECHO, NULL, 0, IH_SECOND, NULL, 0, &reply));
    CHECK(reply.status == 0 && reply.copied == 0 && reply.payload_bytes == 0);
    OK(ih_producer_claim(producer, 4, &payload));
    OK(ih_producer_commit(producer, KIND_ECHO, NULL));
    OK(ih_consumer_wait(consumer, IH_SECOND));
    OK(ih_consumer_poll(consumer, &record, 1, &count));
    CHECK(count == 1 && record.number == 2);
    OK(ih_consumer_release(consumer));
    OK(ih_lane_share(lane, &shared));
    FAILS(ih_shared_send(shared, 1, NULL, 1, NULL), IH_ERROR_NULL);
    FAILS(ih_shared_lock(shared, NULL), IH_ERROR_NULL);
    OK(ih_lane_give_back(&lane));
    OK(ih_host_detach(&host));
    stop(&serving);
}

int main(void) {
    values();
    handles();
    ends();
    options();
    outputs();
    return 0;
}
