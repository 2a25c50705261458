/*
 * What a treasure-hunt host needs besides ironhoard: SHA-256, a player's key, the map, and moves.
 *
 *   map file ──▶ struct hunt_map ──▶ hunt_walk (honest moves and lies) ──▶ 48 bytes and the code that
 *   secret ────▶ key ─────────────▶ tag ───────────────────────────┘      the engine must answer
 *
 * All of it is static, for C99 and C++, so that the two example hosts share it. The byte layouts are
 * those of hunt/src/record.rs, hunt/src/tag.rs and hunt/src/map/file.rs; little-endian machines only.
 */
#ifndef HUNT_H
#define HUNT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- SHA-256 of messages up to 119 bytes, which all of ours are ---- */

static inline uint32_t hunt_turn(uint32_t word, int by) { return word >> by | word << (32 - by); }

static inline void hunt_sha256_block(uint32_t state[8], const uint8_t block[64]) {
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (hunt_turn(a, 7) ^ hunt_turn(a, 18) ^ a >> 3) +
               (hunt_turn(b, 17) ^ hunt_turn(b, 19) ^ b >> 10);
    }
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t e = v[4], a = v[0];
        uint32_t one = v[7] + (hunt_turn(e, 6) ^ hunt_turn(e, 11) ^ hunt_turn(e, 25)) +
                       ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
        uint32_t two = (hunt_turn(a, 2) ^ hunt_turn(a, 13) ^ hunt_turn(a, 22)) +
                       ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (int i = 0; i < 8; i++) state[i] += v[i];
}

/* The hash of `bytes` bytes; 119 at most. */
static inline void hunt_sha256(const uint8_t *message, size_t bytes, uint8_t hash[32]) {
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint8_t padded[128] = {0};
    size_t blocks = bytes < 56 ? 1 : 2;
    memcpy(padded, message, bytes);
    padded[bytes] = 0x80;
    padded[64 * blocks - 2] = (uint8_t)(bytes * 8 >> 8);
    padded[64 * blocks - 1] = (uint8_t)(bytes * 8);
    for (size_t block = 0; block < blocks; block++) hunt_sha256_block(state, padded + 64 * block);
    for (int i = 0; i < 32; i++) hash[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

/* The key of `player` in the world of `seed`: that of `ironhoard serve --seed`, 1 where nothing is said. */
static inline void hunt_player_key(uint64_t seed, uint64_t player, uint8_t key[16]) {
    uint8_t message[60], hash[32];
    memcpy(message, "ironhoard demo secret", 21);
    memcpy(message + 21, &seed, 8);
    hunt_sha256(message, 29, hash);
    memcpy(message, "ironhoard player key", 20);
    memcpy(message + 20, hash, 32);
    memcpy(message + 52, &player, 8);
    hunt_sha256(message, 60, hash);
    memcpy(key, hash, 16);
}

/* ---- The map: for each node, the arcs that leave it ---- */

struct hunt_arc {
    uint32_t to;
    uint16_t length_dm;
    uint8_t speed_kmh, spare;
};

struct hunt_map {
    uint32_t nodes, arcs;
    uint32_t *first_arc; /* nodes + 1 of them */
    struct hunt_arc *arc;
};

static inline void hunt_map_free(struct hunt_map *map) {
    free(map->first_arc);
    free(map->arc);
    memset(map, 0, sizeof *map);
}

/* Reads a prepared map (`ironhoard map`); returns nothing, or what is wrong with it. */
static inline const char *hunt_map_load(struct hunt_map *map, const char *path) {
    uint32_t head[16];
    FILE *file = fopen(path, "rb");
    memset(map, 0, sizeof *map);
    if (file == NULL) return "it cannot be opened";
    const char *wrong = "it is no prepared map: make one with `ironhoard map generate`";
    if (fread(head, 64, 1, file) == 1 && memcmp(head, "IRONMAP1", 8) == 0 && head[2] == 1 &&
        head[3] > 1 && head[3] < UINT32_MAX / 64 && head[4] > 0 && head[4] < UINT32_MAX / 64) {
        long points = 64 + (8L * head[3] + 63) / 64 * 64, row = points + (12L * head[3] + 63) / 64 * 64;
        long arcs = row + (4L * (head[3] + 1) + 63) / 64 * 64;
        map->nodes = head[3], map->arcs = head[4];
        map->first_arc = (uint32_t *)malloc(4 * ((size_t)map->nodes + 1));
        map->arc = (struct hunt_arc *)malloc(8 * (size_t)map->arcs);
        if (map->first_arc != NULL && map->arc != NULL && fseek(file, row, SEEK_SET) == 0 &&
            fread(map->first_arc, 4, map->nodes + 1, file) == map->nodes + 1 &&
            fseek(file, arcs, SEEK_SET) == 0 && fread(map->arc, 8, map->arcs, file) == map->arcs)
            wrong = NULL;
    }
    for (uint32_t n = 0; wrong == NULL && n < map->nodes; n++)
        if (map->first_arc[n] > map->first_arc[n + 1] || map->first_arc[n + 1] > map->arcs)
            wrong = "its index of arcs is not in order";
    for (uint32_t a = 0; wrong == NULL && a < map->arcs; a++)
        if (map->arc[a].to >= map->nodes) wrong = "an arc leads nowhere";
    fclose(file);
    if (wrong != NULL) hunt_map_free(map);
    return wrong;
}

/* ---- Moves, honest ones and lies, each with the code that it must get ---- */

enum { HUNT_MOVE = 1, HUNT_MOVE_BYTES = 48, HUNT_REPLY_BYTES = 32, HUNT_PLAYERS = 1000 };
enum hunt_code { HUNT_ACCEPTED, HUNT_BAD_TAG, HUNT_TOO_OLD, HUNT_UNKNOWN_PLAYER, HUNT_UNKNOWN_EDGE,
                 HUNT_BAD_OFFSET, HUNT_TOO_FAST, HUNT_BAD_TIME, HUNT_MALFORMED, HUNT_CODES };

struct hunt_walker {
    uint64_t player;
    uint8_t key[16];
    uint32_t node, time_ms, sequence;
};

/* A move as it travels; no padding anywhere. */
struct hunt_move {
    uint64_t player;
    uint32_t sequence, time_ms, from, to;
    uint16_t offset_dm;
    uint8_t kind, flags;
    uint32_t treasure;
    uint8_t tag[16];
};

/* A xorshift generator: small, and the same moves for the same state. */
static inline uint32_t hunt_random(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

/* Puts `walker` somewhere on the map, where a street begins. */
static inline void hunt_start(struct hunt_walker *walker, const struct hunt_map *map, uint64_t player,
                              uint64_t *random) {
    memset(walker, 0, sizeof *walker);
    walker->player = player;
    hunt_player_key(1, player, walker->key);
    do walker->node = hunt_random(random) % map->nodes;
    while (map->first_arc[walker->node] == map->first_arc[walker->node + 1]);
}

/* Writes the next move, every eighth of which is a lie; returns the code that the engine must answer. */
static inline enum hunt_code hunt_walk(struct hunt_walker *walker, const struct hunt_map *map,
                                       uint64_t *random, struct hunt_move *move) {
    static const enum hunt_code lies[6] = {HUNT_BAD_TAG, HUNT_UNKNOWN_PLAYER, HUNT_UNKNOWN_EDGE,
                                           HUNT_TOO_FAST, HUNT_BAD_TIME, HUNT_MALFORMED};
    uint32_t first = map->first_arc[walker->node], count = map->first_arc[walker->node + 1] - first;
    if (count == 0) { /* a dead end: go on from somewhere else, with time enough to get there */
        do walker->node = hunt_random(random) % map->nodes;
        while (map->first_arc[walker->node] == map->first_arc[walker->node + 1]);
        walker->time_ms += 1000000;
        first = map->first_arc[walker->node], count = map->first_arc[walker->node + 1] - first;
    }
    const struct hunt_arc *arc = &map->arc[first + hunt_random(random) % count];
    uint8_t message[HUNT_MOVE_BYTES], hash[32];
    memset(move, 0, sizeof *move);
    move->player = walker->player;
    move->sequence = walker->sequence + 1;
    move->time_ms = walker->time_ms + 500 + arc->length_dm * 1000u / 14; /* on foot: 1.4 m a second */
    move->from = walker->node, move->to = arc->to, move->offset_dm = arc->length_dm;
    move->treasure = UINT32_MAX;
    enum hunt_code code = HUNT_ACCEPTED;
    if (walker->sequence > 0 && hunt_random(random) % 8 == 0) code = lies[hunt_random(random) % 6];
    switch (code) {
    case HUNT_UNKNOWN_PLAYER: move->player |= UINT64_C(1) << 63; break;
    case HUNT_UNKNOWN_EDGE: move->to = map->nodes; break;
    case HUNT_TOO_FAST: move->time_ms = walker->time_ms; break;
    case HUNT_BAD_TIME: move->time_ms = walker->time_ms - 1; break;
    case HUNT_MALFORMED: move->flags = 1; break;
    default: break;
    }
    memcpy(message, walker->key, 16);
    memcpy(message + 16, move, 32);
    hunt_sha256(message, sizeof message, hash);
    memcpy(move->tag, hash, 16);
    if (code == HUNT_BAD_TAG) move->tag[5] ^= 1;
    int is_judged = code != HUNT_BAD_TAG && code != HUNT_UNKNOWN_PLAYER && code != HUNT_MALFORMED;
    if (is_judged) walker->sequence++;
    if (code == HUNT_ACCEPTED) walker->node = move->to, walker->time_ms = move->time_ms;
    return code;
}

#endif
