/* A forked child: every call says so, ending handles is harmless, and the parent goes on. */
#define _DEFAULT_SOURCE
#include "check.h"

#include <sys/wait.h>

static ih_host *host;
static ih_lane *lane, *claimed, *batched, *polled;
static ih_shared *shared;

static ih_lane *take(void) {
    ih_lane *taken = NULL;
    OK(ih_lane_take(host, &taken));
    return taken;
}

static void child(const char *path) {
    ih_lane *another = NULL;
    ih_host *own = NULL;
    ih_host_counts counts;
    ih_call_reply reply;
    ih_record record;
    ih_producer *producer = ih_lane_producer(lane);
    ih_consumer *consumer = ih_lane_consumer(lane);
    size_t count = 42;
    void *payload = &count;
    int fd = 42;
    uint64_t number = 42;
    FAILS(ih_lane_take(host, &another), IH_ERROR_FORKED);
    FAILS(ih_lane_call(lane, KIND_ECHO, NULL, 0, IH_SECOND, NULL, 0, &reply), IH_ERROR_FORKED);
    FAILS(ih_lane_wait(lane, IH_SECOND), IH_ERROR_FORKED);
    FAILS(ih_lane_claim_wait(lane, 8, IH_SECOND, &payload), IH_ERROR_FORKED);
    FAILS(ih_producer_claim(producer, 8, &payload), IH_ERROR_FORKED);
    FAILS(ih_producer_batch(producer), IH_ERROR_FORKED);
    FAILS(ih_consumer_poll(consumer, &record, 1, &count), IH_ERROR_FORKED);
    FAILS(ih_consumer_peek(consumer, &record), IH_ERROR_FORKED);
    FAILS(ih_consumer_wait(consumer, IH_SECOND), IH_ERROR_FORKED);
    FAILS(ih_consumer_fd(consumer, &fd), IH_ERROR_FORKED);
    FAILS(ih_shared_send(shared, KIND_ECHO, NULL, 0, NULL), IH_ERROR_FORKED);
    FAILS(ih_producer_commit(ih_lane_producer(claimed), KIND_ECHO, &number), IH_ERROR_FORKED);
    FAILS(ih_producer_claim(ih_lane_producer(batched), 8, &payload), IH_ERROR_FORKED);
    FAILS(ih_producer_publish(ih_lane_producer(batched), NULL), IH_ERROR_FORKED);
    FAILS(ih_consumer_release(ih_lane_consumer(polled)), IH_ERROR_FORKED);
    CHECK(count == 42 && fd == 42 && number == 42 && payload == &count && another == NULL);
    OK(ih_host_read_counts(host, &counts));
    OK(ih_host_attach(path, NULL, &own)); /* attach in the child: that works */
    OK(ih_lane_take(own, &another));
    OK(ih_lane_call(another, KIND_ECHO, "own", 3, 5 * IH_SECOND, NULL, 0, &reply));
    OK(ih_lane_give_back(&another));
    OK(ih_host_detach(&own));
    OK(ih_lane_give_back(&lane));
    OK(ih_lane_give_back(&claimed));
    OK(ih_lane_give_back(&batched));
    OK(ih_lane_give_back(&polled));
    OK(ih_host_detach(&host));
}

int main(void) {
    struct serving serving;
    ih_host_options wishes;
    ih_call_reply reply;
    ih_record record;
    ih_lane *shared_lane;
    size_t count;
    void *payload;
    int status = 0;
    pid_t pid;
    start(&serving, "forked.sock");
    OK(ih_host_options_init(&wishes));
    wishes.lanes = 5;
    wishes.request_capacity = wishes.reply_capacity = IH_MIN_CAPACITY;
    OK(ih_host_attach(serving.path, &wishes, &host));
    lane = take();
    claimed = take();
    batched = take();
    polled = take();
    shared_lane = take();
    OK(ih_lane_share(shared_lane, &shared));
    OK(ih_lane_call(claimed, KIND_ECHO, NULL, 0, IH_SECOND, NULL, 0, &reply)); /* from here on a stream */
    OK(ih_producer_claim(ih_lane_producer(claimed), 8, &payload));
    OK(ih_producer_batch(ih_lane_producer(batched)));
    OK(ih_producer_claim(ih_lane_producer(polled), 8, &payload));
    OK(ih_producer_commit(ih_lane_producer(polled), KIND_ECHO, NULL));
    OK(ih_consumer_wait(ih_lane_consumer(polled), IH_SECOND));
    OK(ih_consumer_poll(ih_lane_consumer(polled), &record, 1, &count));
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        child(serving.path);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    /* The parent has not noticed. */
    OK(ih_lane_call(lane, KIND_ECHO, NULL, 0, IH_SECOND, NULL, 0, &reply));
    OK(ih_producer_commit(ih_lane_producer(claimed), KIND_ECHO, NULL));
    OK(ih_producer_publish(ih_lane_producer(batched), NULL));
    OK(ih_consumer_release(ih_lane_consumer(polled)));
    OK(ih_shared_send(shared, KIND_ECHO, NULL, 0, NULL));
    OK(ih_lane_wait(claimed, IH_SECOND));
    OK(ih_lane_give_back(&lane));
    OK(ih_lane_give_back(&claimed));
    OK(ih_lane_give_back(&batched));
    OK(ih_lane_give_back(&polled));
    OK(ih_lane_give_back(&shared_lane));
    OK(ih_host_detach(&host));
    stop(&serving);
    return 0;
}
