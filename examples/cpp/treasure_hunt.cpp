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
 * The same program in C, and the rules: examples/c/treasure_hunt.c, examples/c/hunt.h.
 */
#include <ironhoard.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

#include "../c/hunt.h"

namespace {

constexpr std::size_t WINDOW = 256, BATCH = 16;
constexpr std::uint64_t DEADLINE_NS = 5 * IH_SECOND;

template <class T> bool failed(const char *what, const ironhoard::Result<T> &result) {
    std::fprintf(stderr, "treasure_hunt: %s: %s\n", what, result.message());
    return false;
}

/* What the engine must answer to a move that is under way. */
struct Expected {
    std::uint64_t number, player;
    std::uint32_t sequence;
    hunt_code code;
};

class Hunt {
  public:
    Hunt(ironhoard::Lane &lane, const hunt_map &map, std::uint64_t first_player) : lane_(lane), map_(map) {
        for (auto &walker : walkers_) hunt_start(&walker, &map, first_player++, &random_);
    }

    bool play(std::uint64_t moves) {
        while (answered_ < moves)
            if (!send_some(moves) || !take_some()) return false;
        auto accepted = static_cast<unsigned long long>(codes_[HUNT_ACCEPTED]);
        std::printf("%llu moves, every answer right: %llu accepted, %llu lies refused\n",
                    static_cast<unsigned long long>(answered_), accepted, answered_ - accepted);
        return true;
    }

  private:
    /* Sends a batch of moves as far as the window allows. */
    bool send_some(std::uint64_t moves) {
        auto batch = lane_.producer().batch();
        if (!batch) return failed("batch", batch);
        for (std::size_t i = 0; i < BATCH && sent_ < moves && expected_.size() < WINDOW; i++) {
            auto claim = batch->claim(HUNT_MOVE_BYTES);
            if (claim.status() == IH_FULL) break;
            if (!claim) return failed("claim", claim);
            auto *move = reinterpret_cast<hunt_move *>(claim->data());
            hunt_code code = hunt_walk(&walkers_[sent_ % HUNT_PLAYERS], &map_, &random_, move);
            Expected expected{0, move->player, move->sequence, code};
            auto number = claim->commit(HUNT_MOVE);
            if (!number) return failed("commit", number);
            expected.number = *number;
            expected_.push_back(expected);
            sent_++;
        }
        auto next = batch->publish();
        return next ? true : failed("publish", next);
    }

    /* Takes the answers that are there, waiting for one. */
    bool take_some() {
        if (ih_status status = lane_.wait(DEADLINE_NS))
            return failed("wait", ironhoard::Result<int>(status));
        ih_record records[BATCH];
        auto answers = lane_.consumer().poll(records);
        if (!answers) return failed("poll", answers);
        for (ironhoard::Reply answer : *answers) {
            if (expected_.empty() || !is_right(expected_.front(), answer)) {
                std::fprintf(stderr, "treasure_hunt: move %llu got the wrong answer %u\n",
                             static_cast<unsigned long long>(answer.number()), answer.status());
                return false;
            }
            codes_[answer.status()]++;
            expected_.pop_front();
            answered_++;
        }
        return true;
    }

    static bool is_right(const Expected &expected, ironhoard::Reply answer) {
        std::uint64_t player = 0;
        std::uint32_t sequence = 0;
        return answer.number() == expected.number && answer.status() == expected.code &&
               answer.payload().size() == HUNT_REPLY_BYTES && answer.payload().read(0, player) &&
               answer.payload().read(8, sequence) && player == expected.player &&
               sequence == expected.sequence;
    }

    ironhoard::Lane &lane_;
    const hunt_map &map_;
    std::uint64_t random_ = UINT64_C(88172645463325252), sent_ = 0, answered_ = 0;
    std::vector<hunt_walker> walkers_{HUNT_PLAYERS};
    std::deque<Expected> expected_;
    std::array<std::uint64_t, HUNT_CODES> codes_{};
};

}

int main(int argc, char **argv) {
    if (argc < 3 || argc > 5) {
        std::fprintf(stderr, "usage: treasure_hunt PATH MAP [MOVES [FIRST_PLAYER]]\n");
        return 1;
    }
    hunt_map map;
    if (const char *wrong = hunt_map_load(&map, argv[2])) {
        std::fprintf(stderr, "treasure_hunt: %s: %s\n", argv[2], wrong);
        return 1;
    }
    auto options = ironhoard::Host::options();
    options.service = "treasure-hunt";
    options.patience_ns = 0; /* the players' state dies with the engine: nothing to resume with */
    auto host = ironhoard::Host::attach(argv[1], options);
    if (!host) return failed("attach", host), 1;
    auto lane = host->lane();
    if (!lane) return failed("lane", lane), 1;
    Hunt hunt(*lane, map, argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 0);
    bool right = hunt.play(argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 100000);
    hunt_map_free(&map);
    return right ? 0 : 1;
}
