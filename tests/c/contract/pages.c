/* 2 MiB pages that are demanded and cannot be had, and those that can. Changes the machine's pool and puts
 * it back, under the lock file that all tests use which do. */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <sys/file.h>

#define TOTAL "/proc/sys/vm/nr_hugepages"
#define FREE "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"

static long number(const char *path) {
    long value = -1;
    FILE *file = fopen(path, "r");
    if (file == NULL) return -1;
    if (fscanf(file, "%ld", &value) != 1) value = -1;
    fclose(file);
    return value;
}

static int set_total(long pages) {
    FILE *file = fopen(TOTAL, "w");
    if (file == NULL) return 0;
    fprintf(file, "%ld\n", pages);
    return fclose(file) == 0;
}

static long before;

static void restore(void) { set_total(before); }

int main(void) {
    const char *folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    struct serving serving;
    ih_engine_options options;
    ih_host_options wishes;
    ih_host *host = NULL;
    ih_terms terms;
    char path[256];
    int lock;
    long used;
    snprintf(path, sizeof path, "%s/hugepages.lock", folder);
    lock = open(path, O_CREAT | O_APPEND | O_RDWR | O_CLOEXEC, 0666);
    CHECK(lock >= 0 && flock(lock, LOCK_EX) == 0);
    before = number(TOTAL);
    used = before - number(FREE);
    if (before < 0 || !set_total(used) || number(FREE) != 0) {
        if (before >= 0) set_total(before);
        printf("SKIPPED pages: the pool of 2 MiB pages cannot be changed; run as root\n");
        return 0;
    }
    atexit(restore);
    usual_options(&options, &serving, "pages.sock");
    options.pages = IH_PAGES_AUTO;
    start_with(&serving, &options);
    OK(ih_host_options_init(&wishes));
    wishes.pages = IH_PAGES_REQUIRE_HUGE;
    FAILS(ih_host_attach(serving.path, &wishes, &host), IH_ERROR_PAGES);
    CHECK(ih_last_error()->refusal == IH_REFUSAL_PAGES && host == NULL);
    SAYS("huge pages");
    if (set_total(used + 4) && number(FREE) == 4) {
        OK(ih_host_attach(serving.path, &wishes, &host));
        OK(ih_host_terms(host, &terms));
        CHECK(terms.request_page_bytes == 2097152 && terms.reply_page_bytes == 2097152);
        OK(ih_host_detach(&host));
    } else {
        printf("SKIPPED pages: no four pages of 2 MiB can be had now\n");
    }
    stop(&serving);
    return 0;
}
