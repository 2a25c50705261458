/* What the checkers must find: `guard leak`, `guard overflow`, `guard race`. Guards the tests that say "0 reports". */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int shared;

static void *add(void *unused) {
    for (int i = 0; i < 1000; i++) shared++;
    return unused;
}

static int leak(void) {
    char *volatile lost = malloc(10);
    lost[0] = 1;
    lost = NULL;
    return 0;
}

static int overflow(void) {
    char *bytes = malloc(10);
    volatile int index = 10;
    memset(bytes, 0, 10);
    volatile int read = bytes[index];
    free(bytes);
    return read == 77;
}

static int race(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, add, NULL)) return 0;
    add(NULL);
    pthread_join(thread, NULL);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 2) return 0;
    if (strcmp(argv[1], "leak") == 0) return leak();
    if (strcmp(argv[1], "overflow") == 0) return overflow();
    return race();
}
