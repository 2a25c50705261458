/*
 * What the contract programs share: checks that say where they failed, and an engine to talk to.
 *
 * A program ends with status 0 where all holds, at the first failure with 1 and a line on stderr.
 */
#ifndef CHECK_H
#define CHECK_H

#include <ironhoard.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "%s:%d: %s; last error: %s\n", __FILE__, __LINE__, #condition,        \
                    ih_last_error()->message);                                                    \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

/* The call succeeds. */
#define OK(call) CHECK((call) == IH_OK)

/* The call answers this failure, and the thread's last error says so, in words. */
#define FAILS(call, expected)                                                                     \
    do {                                                                                          \
        ih_status got = (call);                                                                   \
        if (got != (expected)) {                                                                  \
            fprintf(stderr, "%s:%d: %s is %d and must be %s; last error: %s\n", __FILE__,         \
                    __LINE__, #call, (int)got, #expected, ih_last_error()->message);              \
            exit(1);                                                                              \
        }                                                                                         \
        CHECK(ih_last_error()->status == got);                                                    \
        CHECK(strlen(ih_last_error()->message) > 10);                                             \
    } while (0)

/* The last error's words have this in them. */
#define SAYS(words) CHECK(strstr(ih_last_error()->message, (words)) != NULL)

/* Kinds that the engine below knows; it answers every other with the payload. */
enum { KIND_ECHO = 1, KIND_SLEEP = 2, KIND_STATUS = 3, KIND_STALE = 4, KIND_LARGE = 5, KIND_DIE = 6 };

/* A reply that was kept after its handler returned. */
static ih_reply *kept_reply;

/* SLEEP: 100 ms first. STATUS: the status that the payload's first two bytes say. STALE: keep the reply.
 * LARGE: more than fits. DIE: the process ends. */
static uint16_t answer(void *context, const ih_request *request, ih_reply *reply) {
    uint16_t status = IH_STATUS_OK;
    (void)context;
    if (request->kind == KIND_SLEEP) usleep(100000);
    if (request->kind == KIND_DIE) _exit(9);
    if (request->kind == KIND_STALE) kept_reply = reply;
    if (request->kind == KIND_LARGE) {
        void *payload = &status;
        FAILS(ih_reply_claim(reply, ih_reply_limit(reply) + 1, &payload), IH_ERROR_TOO_LARGE);
        CHECK(payload == &status && ih_last_error()->limit == ih_reply_limit(reply));
        return IH_STATUS_TOO_LARGE;
    }
    if (request->kind == KIND_STATUS) memcpy(&status, request->payload, sizeof status);
    CHECK(((uintptr_t)request->payload & 15) == 0);
    OK(ih_reply_write(reply, request->payload, request->payload_bytes));
    return status;
}

/* An engine on a thread of this process. */
struct serving {
    ih_engine *engine;
    pthread_t thread;
    char path[96];
};

static void *serve(void *engine) {
    OK(ih_engine_run(engine));
    return NULL;
}

/* Where sockets of this run may lie. */
static inline const char *scratch(void) {
    const char *folder = getenv("IH_TEST_FOLDER");
    CHECK(folder != NULL);
    return folder;
}

static inline void usual_options(ih_engine_options *options, struct serving *serving, const char *name) {
    snprintf(serving->path, sizeof serving->path, "%s/%s", scratch(), name);
    OK(ih_engine_options_init(options));
    options->path = serving->path;
    options->handler = answer;
    options->wait = IH_WAIT_PARK;
    options->pages = IH_PAGES_SMALL; /* the pool of large ones belongs to tests that reserve some */
    options->stateless = 1;
}

static inline void start_with(struct serving *serving, const ih_engine_options *options) {
    serving->engine = NULL;
    OK(ih_engine_bind(options, &serving->engine));
    CHECK(pthread_create(&serving->thread, NULL, serve, serving->engine) == 0);
}

static inline void start(struct serving *serving, const char *name) {
    ih_engine_options options;
    usual_options(&options, serving, name);
    start_with(serving, &options);
}

static inline void stop(struct serving *serving) {
    OK(ih_engine_stop(serving->engine));
    CHECK(pthread_join(serving->thread, NULL) == 0);
    OK(ih_engine_free(&serving->engine));
    CHECK(serving->engine == NULL);
}

#endif
