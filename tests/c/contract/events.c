/* Event rings: every answer of a poll, every refusal on both sides, forks, a new life and the end of one. */
#define _DEFAULT_SOURCE
#include "children.h"

#include <poll.h>

#define CAPACITY IH_MIN_CAPACITY
#define LIMIT (CAPACITY / 8 - 16) /* of a payload, at least */

/* What the engine's hosts ask for. FLOOD: far more events than a ring holds. */
enum { KIND_PUBLISH = 20, KIND_FLOOD = 21, KIND_MISUSE = 22, KIND_KEEP = 23 };
enum { EVENT_KIND = 7, FLOOD = 1000 };

static void publish(ih_reply *reply, const void *bytes, size_t count) {
    void *payload;
    OK(ih_event_claim(reply, 0, count, &payload));
    memcpy(payload, bytes, count);
    OK(ih_event_publish(reply, EVENT_KIND, NULL));
}

/* All that can be wrong in a handler; in the end one event is published and one is left open. */
static void misuse(ih_reply *reply) {
    uint64_t number = 42, expected;
    void *first = &number, *second = &number;
    FAILS(ih_event_publish(reply, EVENT_KIND, &number), IH_ERROR_NO_CLAIM);
    FAILS(ih_event_claim(reply, 2, 8, &first), IH_ERROR_ARGUMENT);
    CHECK(ih_last_error()->limit == 2);
    FAILS(ih_event_claim(reply, 0, CAPACITY, &first), IH_ERROR_TOO_LARGE);
    CHECK(ih_last_error()->limit >= LIMIT && ih_last_error()->limit <= CAPACITY / 8);
    FAILS(ih_event_claim(reply, 0, 8, NULL), IH_ERROR_NULL);
    FAILS(ih_event_claim(NULL, 0, 8, &first), IH_ERROR_NULL);
    FAILS(ih_event_publish(NULL, EVENT_KIND, &number), IH_ERROR_NULL);
    CHECK(number == 42 && first == &number);
    OK(ih_event_claim(reply, 1, 8, &first));
    OK(ih_event_claim(reply, 1, 4, &second)); /* gives the first up */
    CHECK(first != &number && second != &number);
    memcpy(second, "once", 4);
    OK(ih_event_publish(reply, EVENT_KIND, &number));
    FAILS(ih_event_publish(reply, EVENT_KIND, &expected), IH_ERROR_NO_CLAIM);
    CHECK(number == 1);
    OK(ih_event_claim(reply, 1, 8, &first));
}

static uint16_t herald(void *context, const ih_request *request, ih_reply *reply) {
    uint64_t at;
    (void)context;
    if (request->kind == KIND_PUBLISH) publish(reply, request->payload, request->payload_bytes);
    if (request->kind == KIND_FLOOD)
        for (at = 0; at < FLOOD; at++) publish(reply, &at, sizeof at);
    if (request->kind == KIND_MISUSE) misuse(reply);
    if (request->kind == KIND_KEEP) {
        FAILS(ih_event_publish(reply, EVENT_KIND, NULL), IH_ERROR_NO_CLAIM); /* of the request before */
        kept_reply = reply;
    }
    return IH_STATUS_OK;
}

static void herald_options(ih_engine_options *options, struct serving *serving, const char *name) {
    usual_options(options, serving, name);
    options->handler = herald;
    options->event_rings = 2;
    options->event_capacity = CAPACITY;
}

static ih_host *host;
static ih_lane *lane;
static ih_events *events;

static void ask(uint16_t kind, const void *payload, size_t bytes) {
    ih_call_reply reply;
    OK(ih_lane_call(lane, kind, payload, bytes, 20 * IH_SECOND, NULL, 0, &reply));
    CHECK(reply.status == IH_STATUS_OK);
}

static void attach(const char *path) {
    ih_host_options wishes;
    small_wishes(&wishes);
    wishes.event_rings = IH_ALL_EVENT_RINGS;
    OK(ih_host_attach(path, &wishes, &host));
    OK(ih_lane_take(host, &lane));
}

static void leave(void) {
    OK(ih_events_close(&events));
    CHECK(events == NULL);
    OK(ih_events_close(&events));
    OK(ih_lane_give_back(&lane));
    OK(ih_host_detach(&host));
}

/* Nothing there, and the output says what it said before. */
static void is_empty(void) {
    ih_event event, before;
    char buffer[8];
    memset(&event, 0xa5, sizeof event);
    memset(&before, 0xa5, sizeof before);
    FAILS(ih_events_poll(events, buffer, sizeof buffer, &event), IH_EMPTY);
    CHECK(memcmp(&event, &before, sizeof event) == 0);
    FAILS(ih_events_wait(events, 1), IH_EMPTY);
}

static void is_event(uint64_t number, const char *text, size_t room) {
    size_t bytes = strlen(text), copied = bytes < room ? bytes : room;
    char buffer[64];
    ih_event event;
    memset(&event, 0xff, sizeof event);
    OK(ih_events_wait(events, 20 * IH_SECOND));
    OK(ih_events_poll(events, room ? buffer : NULL, room, &event));
    CHECK(event.answer == IH_EVENT && event.number == number && event.kind == EVENT_KIND);
    CHECK(event.payload_bytes == bytes && event.copied == copied && memcmp(buffer, text, copied) == 0);
    CHECK(event.flags == 0 && event.last == 0 && event.reserved[0] == 0 && event.reserved[1] == 0);
}

/* From the number that comes next to the one before what comes then. */
static void overrun(uint64_t next) {
    ih_host_counts counts;
    ih_event lost, event;
    uint64_t at, skipped = 42;
    ask(KIND_FLOOD, NULL, 0);
    OK(ih_events_poll(events, NULL, 0, &lost));
    CHECK(lost.answer == IH_EVENT_OVERRUN && lost.number == next && lost.last > next);
    CHECK(lost.payload_bytes == 0 && lost.copied == 0 && lost.kind == 0);
    OK(ih_host_read_counts(host, &counts));
    CHECK(counts.lost_events == lost.last - lost.number + 1);
    OK(ih_events_poll(events, &at, sizeof at, &event));
    CHECK(event.answer == IH_EVENT && event.number == lost.last + 1 && at == event.number - next);
    OK(ih_events_skip(events, &skipped));
    CHECK(skipped == FLOOD - 1 - at);
    OK(ih_events_skip(events, NULL));
    is_empty();
}

static void answers(const char *path) {
    ih_events *again = NULL;
    ih_terms terms;
    ih_event event;
    attach(path);
    OK(ih_host_terms(host, &terms));
    CHECK(terms.event_rings == 2 && terms.event_capacity == CAPACITY && terms.reserved[6] == 0);
    FAILS(ih_events_open(host, 2, &again), IH_ERROR_ARGUMENT);
    CHECK(ih_last_error()->limit == 2);
    FAILS(ih_events_open(host, 0, NULL), IH_ERROR_NULL);
    FAILS(ih_events_open(NULL, 0, &again), IH_ERROR_NULL);
    OK(ih_events_open(host, 0, &events));
    FAILS(ih_events_open(host, 0, &again), IH_ERROR_ARGUMENT);
    CHECK(again == NULL && ih_events_payload_limit(events) >= LIMIT);
    is_empty();
    ask(KIND_PUBLISH, "to all", 6);
    ask(KIND_PUBLISH, "shorter", 7);
    ask(KIND_PUBLISH, "nothing", 7);
    is_event(1, "to all", 64);
    is_event(2, "shorter", 3);
    is_event(3, "nothing", 0);
    is_empty();
    FAILS(ih_events_poll(events, NULL, 1, &event), IH_ERROR_NULL);
    FAILS(ih_events_poll(events, NULL, 0, NULL), IH_ERROR_NULL);
    FAILS(ih_events_poll(NULL, NULL, 0, &event), IH_ERROR_NULL);
    FAILS(ih_events_wait(NULL, 1), IH_ERROR_NULL);
    FAILS(ih_events_skip(NULL, NULL), IH_ERROR_NULL);
    FAILS(ih_events_close(NULL), IH_ERROR_NULL);
    CHECK(ih_events_payload_limit(NULL) == 0);
    overrun(4);
    leave();
}

static void handles(const char *path) {
    ih_events *ended;
    ih_event event;
    void *payload = &event;
    attach(path);
    ask(KIND_MISUSE, NULL, 0);
    ask(KIND_KEEP, NULL, 0);
    FAILS(ih_event_claim(kept_reply, 0, 8, &payload), IH_ERROR_HANDLE);
    FAILS(ih_event_publish(kept_reply, 1, NULL), IH_ERROR_HANDLE);
    CHECK(payload == &event);
    OK(ih_events_open(host, 1, &events));
    is_event(1, "once", 64);
    is_empty(); /* what was given up or left open never was */
    ended = events;
    OK(ih_events_close(&events));
    FAILS(ih_events_poll(ended, NULL, 0, &event), IH_ERROR_HANDLE);
    FAILS(ih_events_close(&ended), IH_ERROR_HANDLE);
    OK(ih_events_open(host, 1, &events)); /* given back: it can be opened again, at the oldest */
    OK(ih_host_detach(&host));
    is_event(1, "once", 64); /* it outlives its host */
    leave();
}

/* Hears all until "stop": it sleeps in between, and sleeps far longer than the test takes if nobody rings. */
static void *listen_to_all(void *argument) {
    char heard[8] = "";
    ih_event event;
    (void)argument;
    while (strncmp(heard, "stop", 4) != 0) {
        ih_status status;
        OK(ih_events_wait(events, 20 * IH_SECOND));
        status = ih_events_poll(events, heard, sizeof heard, &event);
        CHECK(status == IH_EMPTY || (status == IH_OK && event.answer == IH_EVENT));
    }
    return NULL;
}

/* A thread that sleeps is woken by what is published then. Its host is another: no reply wakes it. */
static void wakes(void) {
    struct serving serving;
    ih_engine_options options;
    ih_engine_counts counts;
    ih_host_options wishes;
    ih_host *listener = NULL;
    pthread_t thread;
    int tries;
    herald_options(&options, &serving, "wakes.sock");
    start_with(&serving, &options);
    small_wishes(&wishes);
    wishes.lanes = 0;
    wishes.event_rings = 1;
    OK(ih_host_attach(serving.path, &wishes, &listener));
    OK(ih_events_open(listener, 0, &events));
    attach(serving.path);
    CHECK(pthread_create(&thread, NULL, listen_to_all, NULL) == 0);
    for (tries = 0; tries < 2000; tries++) {
        usleep(5000);
        ask(KIND_PUBLISH, "wake up", 7);
        OK(ih_engine_read_counts(serving.engine, &counts));
        if (counts.events > 0 && counts.event_rings > 0) break;
    }
    CHECK(counts.events > 0 && counts.event_rings > 0 && counts.reserved[5] == 0);
    ask(KIND_PUBLISH, "stop", 4);
    CHECK(pthread_join(thread, NULL) == 0);
    OK(ih_host_detach(&listener));
    leave();
    stop(&serving);
}

static void events_only(const char *path) {
    ih_host_options wishes;
    ih_terms terms;
    OK(ih_host_options_init(&wishes));
    CHECK(wishes.event_rings == 0 && wishes.reserved_word == 0);
    wishes.lanes = 0; /* the capacities stay as they are and count for nothing */
    wishes.event_rings = 1;
    OK(ih_host_attach(path, &wishes, &host));
    OK(ih_host_terms(host, &terms));
    CHECK(terms.lanes == 0 && terms.event_rings == 1);
    FAILS(ih_lane_take(host, &lane), IH_ERROR_LANES_EXHAUSTED);
    FAILS(ih_events_open(host, 1, &events), IH_ERROR_ARGUMENT); /* there, and not wished for */
    OK(ih_events_open(host, 0, &events));
    leave();
}

static void refusals(const char *path) {
    struct serving none;
    ih_host_options wishes;
    ih_engine_options options;
    ih_engine *engine = NULL;
    small_wishes(&wishes);
    wishes.event_rings = 3;
    FAILS(ih_host_attach(path, &wishes, &host), IH_ERROR_REFUSED);
    CHECK(ih_last_error()->refusal == IH_REFUSAL_EVENT_RINGS && ih_last_error()->limit == 2);
    wishes.event_rings = 0;
    OK(ih_host_attach(path, &wishes, &host));
    FAILS(ih_events_open(host, 0, &events), IH_ERROR_ARGUMENT);
    leave();
    wishes.reserved_word = 1;
    FAILS(ih_host_attach(path, &wishes, &host), IH_ERROR_ARGUMENT);
    SAYS("reserved");
    herald_options(&options, &none, "refused.sock");
    options.event_rings = IH_MAX_EVENT_RINGS + 1;
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_ARGUMENT);
    CHECK(ih_last_error()->limit == IH_MAX_EVENT_RINGS);
    options.event_rings = 1;
    options.event_capacity = 12345;
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_ARGUMENT);
    SAYS("power of two");
    options.event_capacity = 0; /* the usual one */
    OK(ih_engine_bind(&options, &engine));
    OK(ih_engine_free(&engine));
    start(&none, "none.sock");
    small_wishes(&wishes);
    wishes.lanes = 0;
    wishes.event_rings = IH_ALL_EVENT_RINGS;
    FAILS(ih_host_attach(none.path, &wishes, &host), IH_ERROR_REFUSED);
    CHECK(ih_last_error()->refusal == IH_REFUSAL_EVENT_RINGS && host == NULL);
    stop(&none);
}

static void forked(const char *path) {
    ih_events *another = NULL;
    ih_event event;
    int status;
    pid_t pid;
    attach(path);
    OK(ih_events_open(host, 0, &events));
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        FAILS(ih_events_poll(events, NULL, 0, &event), IH_ERROR_FORKED);
        FAILS(ih_events_wait(events, IH_SECOND), IH_ERROR_FORKED);
        FAILS(ih_events_skip(events, NULL), IH_ERROR_FORKED);
        FAILS(ih_events_open(host, 1, &another), IH_ERROR_FORKED);
        OK(ih_events_close(&events));
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    OK(ih_events_skip(events, NULL)); /* the parent goes on */
    is_empty();
    leave();
}

/* Engines that are killed: their last events, then the next one's from number 1 on; at last the end. */
static void lives(void) {
    ih_host_options wishes;
    ih_event event;
    ih_status status;
    pid_t engine = start_child("lives.sock", "1");
    small_wishes(&wishes);
    wishes.event_rings = 1;
    host = attach_to("lives.sock", &wishes);
    OK(ih_lane_take(host, &lane));
    OK(ih_events_open(host, 0, &events));
    ask(KIND_PUBLISH, "last words", 10);
    kill_child(engine, SIGKILL);
    engine = start_child("lives.sock", "1");
    ask(KIND_PUBLISH, "first words", 11);
    is_event(1, "last words", 64);
    OK(ih_events_wait(events, 20 * IH_SECOND));
    OK(ih_events_poll(events, NULL, 0, &event));
    CHECK(event.answer == IH_EVENT_NEW_LIFE && event.number != 0 && event.payload_bytes == 0);
    is_event(1, "first words", 64);
    is_empty();
    leave();
    wishes.patience_ns = 0;
    host = attach_to("lives.sock", &wishes);
    OK(ih_events_open(host, 0, &events));
    is_event(1, "first words", 64);
    kill_child(engine, SIGKILL);
    do status = ih_events_wait(events, 20 * IH_SECOND);
    while (status == IH_OK && (status = ih_events_poll(events, NULL, 0, &event)) == IH_EMPTY);
    CHECK(status == IH_ERROR_GONE && ih_last_error()->status == IH_ERROR_GONE);
    FAILS(ih_events_poll(events, NULL, 0, &event), IH_ERROR_GONE);
    leave();
}

static int is_readable(int fd, int milliseconds) {
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    return poll(&waiting, 1, milliseconds) == 1;
}

/* Arms, and sleeps on the descriptor until there is something to poll; else the ring was lost. */
static void sleep_in_a_loop(int fd) {
    int ready = 7;
    OK(ih_events_arm(events, &ready));
    CHECK(ready == 0 || ready == 1);
    CHECK(ready == 1 || is_readable(fd, 20000));
    OK(ih_events_disarm(events));
}

/* Arms while nobody publishes: it stays quiet. A host that was just taken on may be rung once for what it
   could have missed. */
static void arm_in_quiet(int fd) {
    int ready = 7, rung = 0;
    OK(ih_events_arm(events, &ready));
    CHECK(ready == 0);
    while (is_readable(fd, 50)) {
        CHECK(rung++ < 3);
        OK(ih_events_disarm(events));
        OK(ih_events_arm(events, &ready));
        CHECK(ready == 0);
    }
}

/* A descriptor to sleep on: rung for events, once armed, over the lives of engines. */
static void watches(void) {
    ih_host_options wishes;
    ih_event event;
    ih_status status;
    int fd, again, ready, round;
    pid_t engine = start_child("watch.sock", "1");
    small_wishes(&wishes);
    wishes.event_rings = 1;
    host = attach_to("watch.sock", &wishes);
    OK(ih_lane_take(host, &lane));
    OK(ih_events_open(host, 0, &events));
    FAILS(ih_events_arm(events, &ready), IH_ERROR_ARGUMENT); /* nobody asked for the descriptor */
    FAILS(ih_events_disarm(events), IH_ERROR_ARGUMENT);
    FAILS(ih_events_fd(events, NULL), IH_ERROR_NULL);
    FAILS(ih_events_fd(NULL, &fd), IH_ERROR_NULL);
    FAILS(ih_events_arm(NULL, &ready), IH_ERROR_NULL);
    FAILS(ih_events_disarm(NULL), IH_ERROR_NULL);
    OK(ih_events_fd(events, &fd));
    OK(ih_events_fd(events, &again));
    CHECK(fd == again);
    FAILS(ih_events_arm(events, NULL), IH_ERROR_NULL);
    arm_in_quiet(fd);
    for (round = 1; round <= 50; round++) {
        ask(KIND_PUBLISH, "event", 5);
        CHECK(is_readable(fd, 20000));
        OK(ih_events_disarm(events));
        is_event((uint64_t)round, "event", 64);
        OK(ih_events_arm(events, &ready));
        CHECK(ready == 0);
    }
    OK(ih_events_disarm(events));
    ask(KIND_PUBLISH, "event", 5);
    OK(ih_events_arm(events, &ready));
    CHECK(ready == 1);
    is_event(51, "event", 64);
    kill_child(engine, SIGKILL);
    engine = start_child("watch.sock", "1");
    do sleep_in_a_loop(fd);
    while ((status = ih_events_poll(events, NULL, 0, &event)) == IH_EMPTY);
    CHECK(status == IH_OK && event.answer == IH_EVENT_NEW_LIFE);
    OK(ih_events_arm(events, &ready));
    CHECK(ready == 0);
    ask(KIND_PUBLISH, "again", 5);
    CHECK(is_readable(fd, 20000));
    OK(ih_events_disarm(events));
    is_event(1, "again", 64);
    leave();
    kill_child(engine, SIGTERM);
}

/* Fields were taken out of the room to grow: programs built before see structs of the same size. */
static void sizes(void) {
    CHECK(sizeof(ih_host_options) == 128 && sizeof(ih_terms) == 216 && sizeof(ih_host_counts) == 64);
    CHECK(sizeof(ih_engine_options) == 248 && sizeof(ih_engine_counts) == 176 && sizeof(ih_event) == 48);
}

int main(int argc, char **argv) {
    struct serving serving;
    ih_engine_options options;
    if (argc == 4 && strcmp(argv[1], "engine") == 0) {
        herald_options(&options, &serving, argv[2]);
        OK(ih_engine_bind(&options, &serving.engine));
        OK(ih_engine_run(serving.engine));
        return 0;
    }
    sizes();
    herald_options(&options, &serving, "events.sock");
    start_with(&serving, &options);
    answers(serving.path);
    handles(serving.path);
    events_only(serving.path);
    refusals(serving.path);
    forked(serving.path);
    stop(&serving);
    wakes();
    watches();
    lives();
    return 0;
}
