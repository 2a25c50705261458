/*
 * A host of the treasure hunt: a thousand players walk the streets of a map, every eighth move is a lie,
 * and each answer is compared with what it must be.
 *
 *   ironhoard map generate --nodes 2000 --output city.ihmap
 *   ironhoard serve --socket /tmp/hunt.sock --map city.ihmap &
 *   treasure_hunt /tmp/hunt.sock city.ihmap [MOVES [FIRST_PLAYER]]
 *
 * Many moves are under way at a time: they are committed in batches of 16, and answers are read in place.
 * An engine remembers its players: for a second run without a fresh engine choose another FIRST_PLAYER.
 * The same program in C++: examples/cpp/treasure_hunt.cpp.
 */
#include <ironhoard.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hunt.h"

enum { WINDOW = 256, BATCH = 16 };
static const uint64_t DEADLINE_NS = 5 * IH_SECOND;

/* What the engine must answer to a move that is under way. */
struct expected {
    uint64_t player;
    uint32_t sequence;
    enum hunt_code code;
};

struct hunt {
    struct hunt_map map;
    struct hunt_walker walkers[HUNT_PLAYERS];
    struct expected expected[WINDOW]; /* by number, of what is under way */
    uint64_t random, sent, answered, moves, codes[HUNT_CODES];
    ih_lane *lane;
};

static int failed(const char *what) {
    fprintf(stderr, "treasure_hunt: %s: %s\n", what, ih_last_error()->message);
    return 1;
}

/* Sends a batch of moves as far as the window allows; 0 is success. */
static int send_some(struct hunt *hunt) {
    ih_producer *producer = ih_lane_producer(hunt->lane);
    if (ih_producer_batch(producer)) return failed("batch");
    for (int i = 0; i < BATCH && hunt->sent < hunt->moves && hunt->sent - hunt->answered < WINDOW; i++) {
        void *room;
        ih_status status = ih_producer_claim(producer, HUNT_MOVE_BYTES, &room);
        if (status == IH_FULL) break;
        if (status != IH_OK) return failed("claim");
        struct hunt_walker *walker = &hunt->walkers[hunt->sent % HUNT_PLAYERS];
        struct hunt_move *move = room;
        enum hunt_code code = hunt_walk(walker, &hunt->map, &hunt->random, move);
        uint64_t number = 0;
        struct expected expected = {move->player, move->sequence, code};
        if (ih_producer_commit(producer, HUNT_MOVE, &number)) return failed("commit");
        hunt->expected[number % WINDOW] = expected;
        hunt->sent++;
    }
    if (ih_producer_publish(producer, NULL)) return failed("publish");
    return 0;
}

/* Is this the answer that its move must get? */
static int is_right(const struct hunt *hunt, const ih_record *answer) {
    const struct expected *expected = &hunt->expected[answer->number % WINDOW];
    uint64_t player;
    uint32_t sequence;
    if (answer->number != hunt->answered + 1 || answer->kind != expected->code) return 0;
    if (answer->payload_bytes != HUNT_REPLY_BYTES) return 0;
    memcpy(&player, answer->payload, 8);
    memcpy(&sequence, (const char *)answer->payload + 8, 4);
    return player == expected->player && sequence == expected->sequence;
}

/* Takes the answers that are there, waiting for one; 0 is success. */
static int take_some(struct hunt *hunt) {
    ih_consumer *consumer = ih_lane_consumer(hunt->lane);
    ih_record answers[BATCH];
    size_t count = 0;
    if (ih_lane_wait(hunt->lane, DEADLINE_NS)) return failed("wait");
    if (ih_consumer_poll(consumer, answers, BATCH, &count)) return failed("poll");
    for (size_t i = 0; i < count; i++, hunt->answered++) {
        if (!is_right(hunt, &answers[i])) {
            fprintf(stderr, "treasure_hunt: move %" PRIu64 " got the wrong answer %u\n", answers[i].number,
                    answers[i].kind);
            return 1;
        }
        hunt->codes[answers[i].kind]++;
    }
    if (ih_consumer_release(consumer)) return failed("release");
    return 0;
}

static int play(struct hunt *hunt) {
    while (hunt->answered < hunt->moves) {
        if (send_some(hunt) || take_some(hunt)) return 1;
    }
    printf("%" PRIu64 " moves, every answer right: %" PRIu64 " accepted, %" PRIu64 " lies refused\n",
           hunt->answered, hunt->codes[HUNT_ACCEPTED], hunt->answered - hunt->codes[HUNT_ACCEPTED]);
    return 0;
}

int main(int argc, char **argv) {
    static struct hunt hunt;
    ih_host_options options;
    ih_host *host = NULL;
    uint64_t first_player = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    if (argc < 3 || argc > 5) {
        fprintf(stderr, "usage: treasure_hunt PATH MAP [MOVES [FIRST_PLAYER]]\n");
        return 1;
    }
    const char *wrong = hunt_map_load(&hunt.map, argv[2]);
    if (wrong != NULL) {
        fprintf(stderr, "treasure_hunt: %s: %s\n", argv[2], wrong);
        return 1;
    }
    hunt.moves = argc > 3 ? strtoull(argv[3], NULL, 10) : 100000;
    hunt.random = 88172645463325252u;
    for (uint64_t i = 0; i < HUNT_PLAYERS; i++)
        hunt_start(&hunt.walkers[i], &hunt.map, first_player + i, &hunt.random);
    if (ih_host_options_init(&options)) return failed("options");
    options.service = "treasure-hunt";
    options.patience_ns = 0; /* the players' state dies with the engine: nothing to resume with */
    if (ih_host_attach(argv[1], &options, &host)) return failed("attach");
    if (ih_lane_take(host, &hunt.lane)) return failed("lane");
    int result = play(&hunt);
    if (ih_lane_give_back(&hunt.lane)) return failed("give back");
    if (ih_host_detach(&host)) return failed("detach");
    hunt_map_free(&hunt.map);
    return result;
}
