/* Engines in processes of their own, to be killed: the program runs itself again with
 * `engine PATH STATELESS`. */
#ifndef CHILDREN_H
#define CHILDREN_H

#include "check.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* To be called first in main: is this process an engine? Then it never returns. */
static inline void maybe_an_engine(int argc, char **argv) {
    struct serving serving;
    ih_engine_options options;
    if (argc != 4 || strcmp(argv[1], "engine") != 0) return;
    usual_options(&options, &serving, argv[2]);
    options.stateless = (uint32_t)atoi(argv[3]);
    options.poison_after = 1000; /* the deaths here are no request's fault */
    OK(ih_engine_bind(&options, &serving.engine));
    OK(ih_engine_run(serving.engine));
    exit(0);
}

static inline pid_t start_child(const char *name, const char *stateless) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        execl("/proc/self/exe", "contract", "engine", name, stateless, (char *)NULL);
        _exit(127);
    }
    return child;
}

static inline void kill_child(pid_t child, int signal) {
    int status;
    CHECK(kill(child, signal) == 0 && waitpid(child, &status, 0) == child);
}

/* Attaches as soon as the engine is there. */
static inline ih_host *attach_to(const char *name, const ih_host_options *wishes) {
    ih_host *host = NULL;
    char path[128];
    ih_status status = IH_ERROR_NO_ENGINE;
    int tries;
    snprintf(path, sizeof path, "%s/%s", scratch(), name);
    for (tries = 0; tries < 1000 && status == IH_ERROR_NO_ENGINE; tries++) {
        status = ih_host_attach(path, wishes, &host);
        if (status == IH_ERROR_NO_ENGINE) usleep(10000);
    }
    CHECK(status == IH_OK);
    return host;
}

static inline void small_wishes(ih_host_options *wishes) {
    OK(ih_host_options_init(wishes));
    wishes->request_capacity = wishes->reply_capacity = IH_MIN_CAPACITY;
    wishes->spin = 100; /* so that waits do sleep */
}

#endif
