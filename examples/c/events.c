/*
 * A host that reads what an engine publishes to all: prints each event of its first event ring.
 *
 *   ironhoard serve --map city.ihmap --socket /tmp/hunt.sock &        (any engine that has event rings)
 *   events /tmp/hunt.sock [COUNT]
 *
 *   wait ─▶ poll ─┬─ an event: its number, its kind, a copy of its payload
 *     ▲           ├─ an overrun: this host was too slow, exactly these numbers are lost; it goes on
 *     │           ├─ a new life: another engine took over, numbers begin anew; it goes on
 *     └───────────┴─ empty: there was less than it seemed
 *
 * It has no lane, costs the engine nothing while it reads, and ends when COUNT events have come or were lost;
 * without COUNT when the engine is gone. The same program in other languages: examples/events.rs,
 * examples/go/events.
 */
#include <ironhoard.h>
#include <ironhoard_layout.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN = 16 };

/* What has come so far. */
struct tally {
    uint64_t events, lost;
};

static int failed(const char *what) {
    fprintf(stderr, "events: %s: %s\n", what, ih_last_error()->message);
    return 1;
}

/* An event, with the beginning of its payload. */
static void print(const ih_event *event, const uint8_t *payload) {
    printf("event %" PRIu64 " of kind %u, %" PRIu32 " bytes: ", event->number, event->kind, event->payload_bytes);
    for (uint32_t at = 0; at < event->copied && at < SHOWN; at++) printf("%02x", payload[at]);
    printf("\n");
}

/* Takes what is there; IH_EMPTY behind the last. */
static ih_status take(ih_events *events, uint8_t *buffer, size_t capacity, struct tally *tally) {
    ih_event event;
    ih_status status = ih_events_poll(events, buffer, capacity, &event);
    if (status != IH_OK) return status;
    switch (event.answer) {
    case IH_EVENT:
        print(&event, buffer);
        tally->events++;
        break;
    case IH_EVENT_OVERRUN:
        printf("events %" PRIu64 " to %" PRIu64 " are lost\n", event.number, event.last);
        tally->lost += event.last - event.number + 1;
        break;
    case IH_EVENT_NEW_LIFE:
        printf("another engine: numbers begin anew\n");
        break;
    default:
        break;
    }
    return IH_OK;
}

int main(int argc, char **argv) {
    uint64_t wanted = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;
    struct tally tally = {0, 0};
    ih_host_options options;
    ih_host *host = NULL;
    ih_events *events = NULL;
    ih_status status = IH_OK;
    if (argc < 2 || argc > 3 || wanted == 0) {
        fprintf(stderr, "usage: events PATH [COUNT]\n");
        return 1;
    }
    if (ih_host_options_init(&options)) return failed("options");
    options.lanes = 0; /* events only */
    options.event_rings = IH_ALL_EVENT_RINGS;
    options.name = "events";
    if (ih_host_attach(argv[1], &options, &host)) return failed("attach");
    if (ih_events_open(host, 0, &events)) return failed("events");
    size_t capacity = ih_events_payload_limit(events);
    uint8_t *buffer = malloc(capacity);
    if (buffer == NULL) return perror("events"), 1;
    fprintf(stderr, "reading events\n");
    while (tally.events + tally.lost < wanted && (status == IH_OK || status == IH_EMPTY)) {
        status = take(events, buffer, capacity, &tally);
        if (status == IH_EMPTY) status = ih_events_wait(events, IH_FOREVER);
    }
    if (status != IH_OK && status != IH_EMPTY && status != IH_ERROR_GONE) return failed("reading");
    printf("%" PRIu64 " events, %" PRIu64 " lost\n", tally.events, tally.lost);
    free(buffer);
    if (ih_events_close(&events)) return failed("close");
    if (ih_host_detach(&host)) return failed("detach");
    return 0;
}
