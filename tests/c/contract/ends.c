/* What ends, and what is said about it: engines that die, lanes that are closed, rings that hold nonsense. */
#define _DEFAULT_SOURCE
#include "children.h"

static ih_host_options wishes;
static ih_call_reply reply;

/* Nobody takes over: the call ends, and so does everything after it. */
static void gone(void) {
    pid_t engine = start_child("gone.sock", "1");
    ih_host *host;
    ih_lane *lane = NULL, *other = NULL;
    ih_record record;
    size_t count = 42;
    wishes.patience_ns = 0;
    host = attach_to("gone.sock", &wishes);
    OK(ih_lane_take(host, &lane));
    OK(ih_lane_call(lane, KIND_ECHO, "a", 1, IH_SECOND, NULL, 0, &reply));
    FAILS(ih_lane_call(lane, KIND_DIE, "b", 1, 10 * IH_SECOND, NULL, 0, &reply), IH_ERROR_GONE);
    SAYS("may have been executed");
    FAILS(ih_consumer_poll(ih_lane_consumer(lane), &record, 1, &count), IH_ERROR_GONE);
    FAILS(ih_consumer_wait(ih_lane_consumer(lane), IH_SECOND), IH_ERROR_GONE);
    FAILS(ih_lane_take(host, &other), IH_ERROR_GONE);
    CHECK(count == 42 && other == NULL);
    OK(ih_lane_give_back(&lane));
    OK(ih_host_detach(&host));
    CHECK(waitpid(engine, NULL, 0) == engine);
}

/* A successor whose handler had state does not go on with it. */
static void declined(void) {
    pid_t engine = start_child("declined.sock", "0");
    ih_host *host;
    ih_lane *lane = NULL;
    ih_host_counts counts;
    wishes.patience_ns = 20 * IH_SECOND;
    host = attach_to("declined.sock", &wishes);
    OK(ih_lane_take(host, &lane));
    OK(ih_lane_call(lane, KIND_ECHO, "a", 1, IH_SECOND, NULL, 0, &reply));
    kill_child(engine, SIGKILL);
    engine = start_child("declined.sock", "0");
    FAILS(ih_lane_call(lane, KIND_ECHO, "b", 1, 20 * IH_SECOND, NULL, 0, &reply), IH_ERROR_GONE);
    SAYS("state died");
    OK(ih_host_read_counts(host, &counts));
    CHECK(counts.resumes == 0);
    OK(ih_lane_give_back(&lane));
    OK(ih_host_detach(&host));
    kill_child(engine, SIGTERM);
}

/* A stateless one does: the call takes longer. */
static void resumed(void) {
    pid_t engine = start_child("resumed.sock", "1");
    ih_host *host = attach_to("resumed.sock", &wishes);
    ih_lane *lane = NULL;
    ih_terms terms;
    ih_record record;
    void *payload;
    char buffer[4];
    uint32_t round;
    OK(ih_lane_take(host, &lane));
    for (round = 1; round <= 4; round++) {
        OK(ih_lane_call(lane, KIND_ECHO, &round, 4, 20 * IH_SECOND, buffer, 4, &reply));
        CHECK(memcmp(buffer, &round, 4) == 0);
        kill_child(engine, SIGKILL);
        engine = start_child("resumed.sock", "1");
        OK(ih_producer_claim(ih_lane_producer(lane), 4, &payload));
        memcpy(payload, &round, 4);
        OK(ih_lane_call_in_place(lane, KIND_ECHO, 20 * IH_SECOND, &record));
        CHECK(record.number == 2 * round && memcmp(record.payload, &round, 4) == 0);
        OK(ih_consumer_release(ih_lane_consumer(lane)));
    }
    OK(ih_host_terms(host, &terms));
    CHECK(terms.epoch == 5 && terms.engine_pid == (uint32_t)engine);
    OK(ih_lane_give_back(&lane));
    OK(ih_host_detach(&host));
    kill_child(engine, SIGTERM);
}

/* A record of an impossible length, written by this host itself: its lane is closed, the other goes on. */
static void closed(void) {
    struct serving serving;
    ih_engine_counts counts;
    ih_host *host = NULL;
    ih_lane *lane = NULL, *other = NULL;
    ih_producer *producer;
    void *payload;
    start(&serving, "closed.sock");
    wishes.lanes = 2;
    OK(ih_host_attach(serving.path, &wishes, &host));
    OK(ih_lane_take(host, &lane));
    OK(ih_lane_take(host, &other));
    producer = ih_lane_producer(lane);
    OK(ih_producer_claim(producer, 8, &payload));
    OK(ih_producer_commit(producer, KIND_ECHO, NULL));
    OK(ih_lane_wait(lane, IH_SECOND));
    OK(ih_producer_claim(producer, 8, &payload));
    *(volatile uint64_t *)((char *)payload - IH_HEADER_BYTES) = UINT64_C(2) << 32 | 1;
    OK(ih_lane_call(other, KIND_ECHO, NULL, 0, IH_SECOND, NULL, 0, &reply)); /* wakes the engine */
    OK(ih_producer_abort(producer));
    while (ih_consumer_release(ih_lane_consumer(lane)) == IH_OK) {
        ih_record record;
        size_t count;
        if (ih_consumer_poll(ih_lane_consumer(lane), &record, 1, &count) != IH_OK) break;
        usleep(1000);
    }
    CHECK(ih_last_error()->status == IH_ERROR_LANE_CLOSED);
    SAYS("request ring");
    FAILS(ih_producer_batch(producer), IH_ERROR_LANE_CLOSED);
    OK(ih_lane_call(other, KIND_ECHO, NULL, 0, IH_SECOND, NULL, 0, &reply));
    OK(ih_engine_read_counts(serving.engine, &counts));
    CHECK(counts.corrupt_lanes == 1);
    OK(ih_lane_give_back(&lane));
    OK(ih_lane_give_back(&other));
    OK(ih_host_detach(&host));
    stop(&serving);
}

/* Writes a header of an impossible length where the host looks for its reply, and takes its time. */
static uint16_t corrupt(void *context, const ih_request *request, ih_reply *made) {
    void *payload;
    (void)context;
    OK(ih_reply_claim(made, 8, &payload));
    *(volatile uint64_t *)((char *)payload - IH_HEADER_BYTES) = request->number << 32 | 3;
    usleep(300000);
    return IH_STATUS_OK;
}

static void corrupted(void) {
    struct serving serving;
    ih_engine_options options;
    ih_host *host = NULL;
    ih_lane *lane = NULL;
    usual_options(&options, &serving, "corrupt.sock");
    options.handler = corrupt;
    start_with(&serving, &options);
    OK(ih_host_options_init(&wishes));
    wishes.spin = 1000000000;
    OK(ih_host_attach(serving.path, &wishes, &host));
    OK(ih_lane_take(host, &lane));
    FAILS(ih_lane_call(lane, KIND_ECHO, NULL, 0, IH_SECOND, NULL, 0, &reply), IH_ERROR_CORRUPT);
    FAILS(ih_consumer_wait(ih_lane_consumer(lane), IH_SECOND), IH_ERROR_CORRUPT); /* for good */
    OK(ih_lane_give_back(&lane));
    OK(ih_host_detach(&host));
    stop(&serving);
}

int main(int argc, char **argv) {
    maybe_an_engine(argc, argv);
    small_wishes(&wishes);
    gone();
    declined();
    resumed();
    closed();
    corrupted();
    return 0;
}
