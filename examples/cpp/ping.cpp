/*
 * A host that sends requests of many sizes to an echo engine, compares every byte of every reply, and
 * tells how long a round trip takes.
 *
 *   echo_engine /tmp/echo.sock &
 *   ping /tmp/echo.sock [COUNT]
 *
 * The payload is written in place and the reply is read in place: nothing is copied on the way.
 * The same program in other languages: examples/ping.rs, examples/c/ping.c.
 */
#include <ironhoard.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>

namespace {

constexpr std::uint32_t LARGEST = 4096;
constexpr std::uint64_t DEADLINE_NS = 5 * IH_SECOND;

template <class T> int failed(const char *what, const ironhoard::Result<T> &result) {
    std::fprintf(stderr, "ping: %s: %s\n", what, result.message());
    return 1;
}

/* Most payloads are small, every eighth is up to 4 KiB, no two neighbours are alike. */
std::size_t length_of(std::uint32_t ping) {
    std::uint32_t largest = ping % 8 == 7 ? LARGEST : 64;
    return ping * UINT32_C(2654435761) % (largest + 1);
}

std::byte byte_of(std::uint32_t ping, std::size_t index) {
    return static_cast<std::byte>(ping * 31 + index * 7);
}

bool is_right(std::uint32_t ping, ironhoard::Reply reply) {
    if (reply.status() != IH_STATUS_OK || reply.payload().size() != length_of(ping)) return false;
    std::size_t index = 0;
    for (std::byte byte : reply.payload())
        if (byte != byte_of(ping, index++)) return false;
    return true;
}

/* One round trip, checked; 0 is success. The reply's room is given back at the end of the function. */
int round_trip(ironhoard::Lane &lane, std::uint32_t ping) {
    auto claim = lane.claim_wait(length_of(ping), DEADLINE_NS);
    if (!claim) return failed("claim", claim);
    std::size_t index = 0;
    for (std::byte &byte : claim->bytes()) byte = byte_of(ping, index++);
    ih_record record;
    auto replies = lane.call_in_place(*std::move(claim), 1, DEADLINE_NS, record);
    if (!replies) return failed("call", replies);
    if (is_right(ping, (*replies)[0])) return 0;
    std::fprintf(stderr, "ping: reply %u is not its request\n", ping);
    return 1;
}

}

int main(int argc, char **argv) {
    std::uint32_t count = 100000;
    if (argc == 3) {
        std::string_view text = argv[2];
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
        if (error != std::errc() || end != text.data() + text.size()) argc = 0;
    }
    if (argc != 2 && argc != 3) {
        std::fprintf(stderr, "usage: ping PATH [COUNT]\n");
        return 1;
    }
    auto host = ironhoard::Host::attach(argv[1]);
    if (!host) return failed("attach", host);
    auto lane = host->lane();
    if (!lane) return failed("lane", lane);
    auto started = std::chrono::steady_clock::now();
    for (std::uint32_t ping = 0; ping < count; ping++)
        if (round_trip(*lane, ping) != 0) return 1;
    std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - started;
    std::printf("%u round trips, %.0f ns each\n", count, elapsed.count() / (count > 0 ? count : 1));
    return 0;
}
