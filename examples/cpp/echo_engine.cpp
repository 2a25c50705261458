/*
 * An engine that answers every request with its own payload.
 *
 *   echo_engine /tmp/echo.sock [CORE]
 *
 * Stop it with SIGTERM, or with a byte on its standard input (Enter) or by closing that.
 * The same program in other languages: examples/echo_engine.rs, examples/c/echo_engine.c.
 */
#include <ironhoard.hpp>

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <string_view>
#include <sys/signalfd.h>
#include <thread>
#include <unistd.h>

namespace {

template <class T> int failed(const char *what, const ironhoard::Result<T> &result) {
    std::fprintf(stderr, "echo_engine: %s: %s\n", what, result.message());
    return 1;
}

int usage() {
    std::fprintf(stderr, "usage: echo_engine PATH [CORE]\n");
    return 1;
}

/* The handler. */
struct Echo {
    std::uint16_t operator()(ironhoard::Request request, ironhoard::ReplyWriter reply) const {
        return reply.write(request.payload()) == IH_OK ? IH_STATUS_OK : IH_STATUS_TOO_LARGE;
    }
};

/* Catches signals from now on, in this thread and all that it will start; a descriptor that hears them. */
int catch_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0 ? signalfd(-1, &signals, SFD_CLOEXEC) : -1;
}

/* Until a signal comes, or a byte on the standard input or its end. */
void wait_for_the_end(int signals) {
    pollfd ends[2] = {{signals, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    while (poll(ends, 2, -1) < 0) continue;
}

}

int main(int argc, char **argv) {
    if (argc != 2 && argc != 3) return usage();
    auto options = ironhoard::Engine::options();
    std::uint32_t core = 0;
    Echo echo;
    options.path = argv[1];
    options.stateless = 1; /* no state that could die with the engine */
    ironhoard::Engine::serve_with(options, echo);
    if (argc == 3) {
        std::string_view text = argv[2];
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), core);
        if (error != std::errc() || end != text.data() + text.size()) return usage();
        options.cores = &core;
        options.core_count = 1;
    }
    int signals = catch_signals();
    if (signals < 0) return std::perror("echo_engine: signals"), 1;
    auto engine = ironhoard::Engine::bind(options);
    if (!engine) return failed("bind", engine);
    std::thread guard([&engine, signals] {
        wait_for_the_end(signals);
        (void)engine->stop(); /* any thread may; a signal handler too */
    });
    std::printf("echoing at %s; Enter stops\n", argv[1]);
    std::fflush(stdout);
    ih_status status = engine->run(); /* returns when the guard stops it */
    if (status != IH_OK) {
        failed("run", ironhoard::Result<int>(status));
        std::_Exit(1); /* the guard still waits */
    }
    guard.join();
    close(signals);
    auto counts = engine->counts();
    if (!counts) return failed("counts", counts);
    std::printf("%llu requests answered\n", static_cast<unsigned long long>(counts->requests));
    return 0;
}
