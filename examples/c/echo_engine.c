/*
 * An engine that answers every request with its own payload.
 *
 *   echo_engine /tmp/echo.sock [CORE]
 *
 * Stop it with SIGTERM, or with a byte on its standard input (Enter) or by closing that.
 * The same program in other languages: examples/echo_engine.rs, examples/cpp/echo_engine.cpp.
 */
#define _POSIX_C_SOURCE 200809L /* pthread_sigmask */

#include <ironhoard.h>

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int failed(const char *what) {
    fprintf(stderr, "echo_engine: %s: %s\n", what, ih_last_error()->message);
    return 1;
}

static uint16_t echo(void *context, const ih_request *request, ih_reply *reply) {
    (void)context;
    if (ih_reply_write(reply, request->payload, request->payload_bytes)) return IH_STATUS_TOO_LARGE;
    return IH_STATUS_OK;
}

/* Told by a signal, or by a byte on the standard input or its end. */
struct guard {
    ih_engine *engine;
    int signals;
    pthread_t thread;
};

static void *wait_for_the_end(void *argument) {
    struct guard *guard = argument;
    struct pollfd ends[2] = {{guard->signals, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    while (poll(ends, 2, -1) < 0) continue;
    ih_engine_stop(guard->engine); /* any thread may; a signal handler too */
    return NULL;
}

/* Catches signals from now on, in this thread and all that it will start; 0 is success. */
static int catch_signals(struct guard *guard) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL)) return 1;
    guard->signals = signalfd(-1, &signals, SFD_CLOEXEC);
    return guard->signals < 0;
}

int main(int argc, char **argv) {
    char *end = "";
    uint32_t core = argc > 2 ? (uint32_t)strtoul(argv[2], &end, 10) : 0;
    struct guard guard = {0};
    ih_engine_options options;
    ih_engine_counts counts;
    if (argc < 2 || argc > 3 || *end != '\0') {
        fprintf(stderr, "usage: echo_engine PATH [CORE]\n");
        return 1;
    }
    if (ih_engine_options_init(&options)) return failed("options");
    options.path = argv[1];
    options.handler = echo;
    options.stateless = 1; /* no state that could die with the engine */
    options.cores = argc > 2 ? &core : NULL;
    options.core_count = argc > 2 ? 1 : 0;
    if (catch_signals(&guard)) return perror("echo_engine: signals"), 1;
    if (ih_engine_bind(&options, &guard.engine)) return failed("bind");
    if (pthread_create(&guard.thread, NULL, wait_for_the_end, &guard)) return perror("echo_engine"), 1;
    printf("echoing at %s; Enter stops\n", argv[1]);
    fflush(stdout);
    if (ih_engine_run(guard.engine)) return failed("run"); /* returns when the guard stops it */
    pthread_join(guard.thread, NULL);
    if (ih_engine_read_counts(guard.engine, &counts)) return failed("counts");
    printf("%" PRIu64 " requests answered\n", counts.requests);
    if (ih_engine_free(&guard.engine)) return failed("free");
    close(guard.signals);
    return 0;
}
