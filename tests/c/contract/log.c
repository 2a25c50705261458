/* Log lines reach the program, up to the level it asked for, and stop when it says so. */
#define _DEFAULT_SOURCE
#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char heard[4096];
static int lines, within = 1;

static void sink(void *context, uint32_t level, const char *line) {
    CHECK(context == &lines && level >= IH_LOG_ERROR && level <= IH_LOG_INFO);
    pthread_mutex_lock(&lock);
    lines++;
    strncat(heard, line, sizeof heard - strlen(heard) - 1);
    strncat(heard, "\n", sizeof heard - strlen(heard) - 1);
    if (within) {
        within = 0;
        FAILS(ih_log_to(NULL, NULL, IH_LOG_WARN), IH_ERROR_LOCK); /* it would wait for itself */
    }
    pthread_mutex_unlock(&lock);
}

static void come_and_go(const char *path) {
    ih_host *host = NULL;
    ih_host_options wishes;
    OK(ih_host_options_init(&wishes));
    wishes.name = "a talker";
    OK(ih_host_attach(path, &wishes, &host));
    OK(ih_host_detach(&host));
}

static int count(void) {
    int now;
    usleep(200000); /* the engine's threads speak in their own time */
    pthread_mutex_lock(&lock);
    now = lines;
    pthread_mutex_unlock(&lock);
    return now;
}

int main(void) {
    struct serving serving;
    int before;
    start(&serving, "log.sock");
    come_and_go(serving.path);
    CHECK(count() == 0);
    FAILS(ih_log_to(sink, &lines, 0), IH_ERROR_ARGUMENT);
    FAILS(ih_log_to(sink, &lines, 9), IH_ERROR_ARGUMENT);
    OK(ih_log_to(sink, &lines, IH_LOG_INFO));
    come_and_go(serving.path);
    CHECK(count() >= 2 && strstr(heard, "host attached") && strstr(heard, "a talker"));
    CHECK(strstr(heard, "host left"));
    OK(ih_log_to(sink, &lines, IH_LOG_ERROR));
    before = count();
    come_and_go(serving.path);
    CHECK(count() == before);
    OK(ih_log_to(NULL, NULL, IH_LOG_INFO));
    come_and_go(serving.path);
    CHECK(count() == before);
    stop(&serving);
    return 0;
}
