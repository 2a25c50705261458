/*
 * An echo engine that changes one byte of one reply in a thousand, or cuts it short where it has none: what
 * every ping must notice. Usage: garbling_engine PATH; ends at SIGTERM.
 */
#define _POSIX_C_SOURCE 200809L

#include <ironhoard.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

static ih_engine *engine;

static uint16_t garble(void *context, const ih_request *request, ih_reply *reply) {
    unsigned *answered = context;
    void *room;
    size_t bytes = request->payload_bytes;
    int is_garbled = ++*answered % 1000 == 0;
    if (is_garbled && bytes == 0) return 7;
    if (ih_reply_claim(reply, bytes, &room)) return IH_STATUS_TOO_LARGE;
    memcpy(room, request->payload, bytes);
    if (is_garbled) ((unsigned char *)room)[bytes - 1] ^= 0x10;
    return IH_STATUS_OK;
}

static void stop(int signal) {
    (void)signal;
    ih_engine_stop(engine);
}

int main(int argc, char **argv) {
    ih_engine_options options;
    struct sigaction action;
    unsigned answered = 0;
    if (argc != 2 || ih_engine_options_init(&options)) return 2;
    options.path = argv[1];
    options.handler = garble;
    options.context = &answered;
    options.stateless = 1;
    if (ih_engine_bind(&options, &engine)) return fprintf(stderr, "%s\n", ih_last_error()->message), 1;
    memset(&action, 0, sizeof action);
    action.sa_handler = stop;
    if (sigaction(SIGTERM, &action, NULL)) return 1;
    printf("echoing at %s, badly\n", argv[1]);
    fflush(stdout);
    return ih_engine_run(engine) != IH_OK;
}
