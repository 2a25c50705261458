/* Why an attach, or an engine's start, does not succeed: each with its status, its numbers and its words. */
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static ih_host *host;
static ih_host_options wishes;

static void renew(void) { OK(ih_host_options_init(&wishes)); }

/* What an impostor does with the host's HELLO. */
enum { SAY_NOTHING, HANG_UP, SAY_NONSENSE, REFUSE_VERSION };

struct impostor {
    int listener, how;
    pthread_t thread;
    char path[96];
};

static void *pretend(void *argument) {
    struct impostor *impostor = argument;
    unsigned char message[512] = {0};
    int connection = accept(impostor->listener, NULL, NULL);
    CHECK(connection >= 0 && recv(connection, message, sizeof message, 0) == IH_HELLO_BYTES);
    if (impostor->how == SAY_NOTHING) usleep(300000);
    if (impostor->how == SAY_NONSENSE) CHECK(send(connection, "nonsense nonsense nonsense", 26, 0) == 26);
    if (impostor->how == REFUSE_VERSION) {
        uint32_t head[4] = {IH_MESSAGE_MAGIC, IH_KIND_REFUSED, IH_LAYOUT_VERSION, IH_REFUSED_BYTES + 8};
        uint32_t body[4] = {IH_REFUSAL_VERSION, 8, 9, 0};
        memset(message, 0, sizeof message);
        memcpy(message, head, sizeof head);
        memcpy(message + IH_REFUSED_CODE, body, sizeof body);
        memcpy(message + IH_REFUSED_TEXT, "too old.", 8);
        CHECK(send(connection, message, IH_REFUSED_BYTES + 8, 0) == IH_REFUSED_BYTES + 8);
    }
    close(connection);
    return NULL;
}

static void listen_at(struct impostor *impostor, const char *name, int type) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(impostor->path, sizeof impostor->path, "%s/%s", scratch(), name);
    strcpy(address.sun_path, impostor->path);
    impostor->listener = socket(AF_UNIX, type, 0);
    CHECK(impostor->listener >= 0);
    CHECK(bind(impostor->listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(impostor->listener, 4) == 0);
}

static void meet(int how, const char *name, ih_status expected) {
    struct impostor impostor = {.how = how};
    renew();
    wishes.attach_deadline_ns = 100 * IH_MILLISECOND;
    listen_at(&impostor, name, SOCK_SEQPACKET);
    CHECK(pthread_create(&impostor.thread, NULL, pretend, &impostor) == 0);
    FAILS(ih_host_attach(impostor.path, &wishes, &host), expected);
    CHECK(pthread_join(impostor.thread, NULL) == 0);
    close(impostor.listener);
}

static void paths(void) {
    char path[300];
    struct impostor stream;
    FAILS(ih_host_attach("/nobody/nowhere.sock", NULL, &host), IH_ERROR_NO_ENGINE);
    CHECK(ih_last_error()->system_error == ENOENT);
    SAYS("/nobody/nowhere.sock");
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    FAILS(ih_host_attach(path, NULL, &host), IH_ERROR_PATH);
    CHECK(ih_last_error()->limit == 107);
    listen_at(&stream, "stream.sock", SOCK_STREAM);
    FAILS(ih_host_attach(stream.path, NULL, &host), IH_ERROR_NOT_AN_ENGINE);
    close(stream.listener);
}

static void impostors(void) {
    meet(SAY_NOTHING, "silent.sock", IH_ERROR_SILENCE);
    meet(HANG_UP, "hangs-up.sock", IH_ERROR_HUNG_UP);
    meet(SAY_NONSENSE, "nonsense.sock", IH_ERROR_CORRUPT);
    meet(REFUSE_VERSION, "old.sock", IH_ERROR_VERSION);
    CHECK(ih_last_error()->refusal == IH_REFUSAL_VERSION && ih_last_error()->limit == 9);
    SAYS("too old.");
}

static void arguments(const char *path) {
    char name[66];
    renew();
    wishes.reserved[3] = 1;
    FAILS(ih_host_attach(path, &wishes, &host), IH_ERROR_ARGUMENT);
    SAYS("reserved");
    renew();
    wishes.pages = 9;
    FAILS(ih_host_attach(path, &wishes, &host), IH_ERROR_ARGUMENT);
    SAYS("pages are 9");
    renew();
    wishes.name = "\xff\xfe";
    FAILS(ih_host_attach(path, &wishes, &host), IH_ERROR_ARGUMENT);
    SAYS("UTF-8");
    memset(name, 'n', sizeof name);
    name[65] = 0;
    wishes.name = name;
    FAILS(ih_host_attach(path, &wishes, &host), IH_ERROR_ARGUMENT);
    CHECK(ih_last_error()->limit == IH_NAME_BYTES);
}

static void refused(const char *path, uint32_t why) {
    FAILS(ih_host_attach(path, &wishes, &host), IH_ERROR_REFUSED);
    CHECK(ih_last_error()->refusal == why);
}

static void wishes_too_large(const char *path) {
    ih_status status;
    renew();
    wishes.lanes = 5;
    refused(path, IH_REFUSAL_LANES);
    CHECK(ih_last_error()->limit == 4);
    renew();
    wishes.lanes = 0;
    refused(path, IH_REFUSAL_LANES);
    renew();
    wishes.request_capacity = 12345;
    refused(path, IH_REFUSAL_CAPACITY);
    renew();
    wishes.service = "another";
    refused(path, IH_REFUSAL_SERVICE);
    memset(&wishes, 0, sizeof wishes); /* no init function was called: no lanes, and no time to wait */
    status = ih_host_attach(path, &wishes, &host);
    CHECK(status == IH_ERROR_SILENCE || status == IH_ERROR_REFUSED);
}

/* 2 MiB pages, a service that must not connect, and descriptors, each in a process of its own. */
static void in_a_child(const char *path, void (*body)(const char *)) {
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        body(path);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void as_another_user(const char *path) {
    CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    FAILS(ih_host_attach(path, NULL, &host), IH_ERROR_NOT_ALLOWED);
    CHECK(ih_last_error()->system_error == EACCES);
}

static void without_descriptors(const char *path) {
    struct rlimit few = {3, 3};
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    FAILS(ih_host_attach(path, NULL, &host), IH_ERROR_SYSTEM);
    CHECK(ih_last_error()->system_error == EMFILE);
}

static void engine_starts(const char *path) {
    struct serving other;
    ih_engine_options options;
    ih_engine *engine = NULL;
    uint32_t cores[1] = {100000};
    char file[128];
    FILE *made;
    usual_options(&options, &other, "unused.sock");
    options.path = path;
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_LIVE);
    SAYS(path);
    options.path = "/nobody/nowhere.sock";
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_PATH);
    CHECK(ih_last_error()->system_error == ENOENT);
    snprintf(file, sizeof file, "%s/file", scratch());
    made = fopen(file, "w");
    CHECK(made != NULL && fclose(made) == 0);
    options.path = file;
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_PATH);
    options.path = other.path;
    options.cores = cores;
    options.core_count = 1;
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_CORE);
    options.core_count = 0;
    options.shards = 0;
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_ARGUMENT);
    options.shards = IH_MAX_SHARDS + 1;
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_ARGUMENT);
    CHECK(ih_last_error()->limit == IH_MAX_SHARDS);
    options.shards = 1;
    options.wait = 17;
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_ARGUMENT);
    options.wait = IH_WAIT_PARK;
    options.stateless = 2;
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_ARGUMENT);
    options.stateless = 1;
    options.service = "a\nb";
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_ARGUMENT);
    options.service = NULL;
    options.reserved[0] = 1;
    FAILS(ih_engine_bind(&options, &engine), IH_ERROR_ARGUMENT);
    CHECK(engine == NULL);
}

static void *no_shard(void *context, uint32_t shard) {
    (void)context, (void)shard;
    return NULL;
}

static void shard_lost(void) {
    struct serving other;
    ih_engine_options options;
    ih_engine *engine = NULL;
    usual_options(&options, &other, "lost.sock");
    options.make_shard = no_shard;
    OK(ih_engine_bind(&options, &engine));
    FAILS(ih_engine_run(engine), IH_ERROR_SHARD_LOST);
    OK(ih_engine_free(&engine));
}

/* Every status has words, and no two have the same. */
static void words(void) {
    int one, two, known = 0;
    const char *unknown = ih_strerror(-1000);
    for (one = -120; one <= 0; one++) {
        known += strcmp(ih_strerror(one), unknown) != 0;
        for (two = -120; two < one; two++) {
            CHECK(strcmp(ih_strerror(one), unknown) == 0 || strcmp(ih_strerror(one), ih_strerror(two)) != 0);
        }
    }
    CHECK(known == 38);
}

int main(void) {
    struct serving serving;
    ih_engine_options options;
    usual_options(&options, &serving, "refusals.sock");
    options.max_lanes_per_host = 4;
    options.service = "echo";
    start_with(&serving, &options);
    paths();
    impostors();
    arguments(serving.path);
    wishes_too_large(serving.path);
    in_a_child(serving.path, without_descriptors);
    if (geteuid() == 0) {
        CHECK(chmod(scratch(), 0755) == 0);
        in_a_child(serving.path, as_another_user);
    } else {
        fprintf(stderr, "SKIPPED as_another_user: only root can be another user\n");
    }
    engine_starts(serving.path);
    shard_lost();
    words();
    CHECK(host == NULL);
    stop(&serving);
    return 0;
}
