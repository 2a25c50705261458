// The C++ header with everything that C++17 and C++20 convert to its bytes, and its moves. Compiled, and run:
// nothing here needs an engine.
#include "ironhoard.hpp"
#include "ironhoard.hpp"

#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>
#if __cplusplus >= 202002L
#include <span>
#endif

using namespace ironhoard;

// Owned once, moved without a throw; two pointers' worth of state at most where it is on a message's way.
template <class T>
constexpr bool is_owned = !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
                          std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>;
static_assert(is_owned<Host> && is_owned<Lane> && is_owned<Engine> && is_owned<Claim> && is_owned<Batch>);
static_assert(is_owned<Replies> && is_owned<Lock>);
static_assert(sizeof(Host) == sizeof(void *) && sizeof(Lane) == sizeof(void *));
static_assert(sizeof(Batch) == sizeof(void *));
static_assert(!std::is_convertible_v<const char (&)[3], Bytes>, "the zero of a literal must not travel");
static_assert(!std::is_convertible_v<const std::vector<int> &, MutableBytes>);
static_assert(!std::is_convertible_v<std::vector<std::string> &, Bytes>, "pointers must not travel");

static int failures;

static void expect(bool truth, const char *what) {
    if (truth) return;
    std::fprintf(stderr, "header: %s\n", what);
    failures++;
}

static void bytes_convert() {
    std::vector<int> numbers{1, 2, 3};
    std::array<char, 8> letters{};
    unsigned char raw[5] = {};
    Bytes from_vector = numbers, from_view = std::string_view("abc"), from_array = raw;
    MutableBytes writable = letters, copy = writable;
    expect(from_vector.size() == 3 * sizeof(int) && from_view.size() == 3 && from_array.size() == 5, "sizes");
    std::uint32_t value = 7;
    expect(from_vector.read(8, value) && value == 3, "reads the last");
    expect(!from_vector.read(9, value) && value == 3, "reads nothing beyond, and leaves the value");
    expect(!from_vector.read(SIZE_MAX, value), "an offset cannot wrap");
    expect(copy.write(4, value) && letters[4] == 3 && !copy.write(5, value), "writes inside alone");
#if __cplusplus >= 202002L
    std::span<const std::byte> span = from_vector;
    std::span<std::byte> mutable_span = writable;
    Bytes back = span;
    MutableBytes mutable_back = mutable_span;
    expect(back.data() == from_vector.data() && mutable_back.size() == 8, "std::span and back");
    std::span<const std::byte> of_a_temporary = Claim().bytes();
    expect(of_a_temporary.empty(), "a span of what a function returned");
#endif
}

// Empty handles are refused, not followed; results say why.
static void empty_handles_are_refused() {
    Host host;
    auto lane = host.lane();
    expect(!lane && lane.status() == IH_ERROR_NULL && lane.message()[0] != '\0', "a lane of no host");
    expect(lane->producer().payload_limit() == 0 && lane->outstanding() == 0, "a limit of no lane");
    expect(lane->call(1, {}, {}, 0).status() == IH_ERROR_NULL, "a call of no lane");
    expect(Consumer().wait(0) == IH_ERROR_NULL && Shared().lock().status() == IH_ERROR_NULL, "no consumer");
    expect(Claim().commit(1).status() == IH_ERROR_NULL && Batch().publish().status() == IH_ERROR_NULL, "no claim");
    expect(host.detach() == IH_OK && Lane().give_back() == IH_OK && Engine().free() == IH_OK, "ending nothing");
    expect(Engine().run() == IH_ERROR_NULL && Replies().release() == IH_OK && Replies().empty(), "nothing runs");
    Events events;
    char room[8];
    expect(!host.events(0) && events.poll(room).status() == IH_ERROR_NULL, "events of no host");
    expect(events.wait(0) == IH_ERROR_NULL && events.skip().status() == IH_ERROR_NULL, "no events");
    expect(events.fd().status() == IH_ERROR_NULL && events.arm().status() == IH_ERROR_NULL, "no descriptor");
    expect(events.disarm() == IH_ERROR_NULL, "nothing to silence");
    expect(events.close() == IH_OK && events.payload_limit() == 0, "closing nothing");
    ReplyWriter writer(nullptr);
    expect(!writer.claim_event(0, 8) && writer.publish(1).status() == IH_ERROR_NULL, "an event of no handler");
    auto missing = Host::attach("/no/such/engine.sock");
    expect(!missing && missing.message()[0] != '\0', "no engine");
    auto options = Host::options();
    options.lanes = 0;
    expect(!Host::attach("/no/such/engine.sock", options), "no lanes");
    Host moved = std::move(host);
    host = std::move(moved);
    expect(host.get() == nullptr, "moving nothing");
}

int main() {
    bytes_convert();
    empty_handles_are_refused();
    return failures != 0;
}
