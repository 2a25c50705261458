/* Ironhoard: hands the hot path of a process to a pinned engine through shared memory.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0. Generated from src/ffi by cbindgen; edit there.
 *
 *   host process                                        engine process, a pinned thread a shard
 *   claim, write in place, commit  --> request ring -->  handler(context, request, reply)
 *   poll, read in place, release   <--  reply ring   <--  its return value and what it wrote
 *
 *   ih_host *host = NULL; ih_lane *lane = NULL; ih_call_reply reply; char answer[64];
 *   if (ih_host_attach("/run/echo.sock", NULL, &host) || ih_lane_take(host, &lane) ||
 *       ih_lane_call(lane, 1, "hello", 5, IH_SECOND, answer, sizeof answer, &reply))
 *       return fprintf(stderr, "%s\n", ih_last_error()->message), 1;
 *
 * THE CONTRACT
 *
 * Errors. A function that can fail returns ih_status: IH_OK is 0, everything else is negative and leaves
 * every output as it was. Outputs are the last parameters. What was wrong and what to do is in
 * ih_last_error() of the same thread, with the errno and the number that would have been accepted. IH_FULL,
 * IH_EMPTY, IH_DEADLINE and IH_NO_ROOM are ordinary answers. NULL where it must not be is IH_ERROR_NULL.
 * No panic crosses this border (IH_ERROR_PANIC); nothing calls abort() or exit().
 *
 * Ownership. Handles are opaque. What ih_host_attach, ih_lane_take, ih_events_open and ih_engine_bind gave is
 * ended by ih_host_detach, ih_lane_give_back, ih_events_close and ih_engine_free; these set the caller's
 * pointer to NULL, and a NULL there is IH_OK. Everything else is lent. A handle that was ended, or is of
 * another kind, is refused with IH_ERROR_HANDLE, as long as its memory has not become a handle of the same
 * kind again: a guard against mistakes, not a licence. Strings and structs that are passed in are copied.
 *
 * Lifetimes. A claim's pointer is good until commit or abort, a polled record's until release, a peeked
 * one's until the next call with its consumer; in a handler, what it gets and claims until it returns. Lanes
 * and events outlive the detach of their host.
 *
 * Threads. A host, a shared producer and an engine: any thread. A producer, a consumer, events: one thread at
 * a time each. A lane uses both its halves. An object may move between threads. Two objects never disturb
 * each other. ih_last_error belongs to its thread.
 *
 * Memory. The peer can write what you read in place while you read it: copy a value once, check it, then use
 * it. The peer cannot write what you write, cannot shrink it and cannot take it away.
 *
 * Time. Deadlines are relative, in nanoseconds, on CLOCK_MONOTONIC; IH_FOREVER has no end. A spinning wait is
 * not cut short (options.spin). While both sides are awake, claim, commit, poll and release make no
 * system call, take no lock and allocate nothing.
 *
 * What ends, and what it leaves. A host that dies, by kill -9 too, loses the replies it had not taken; what
 * it had committed is executed; a claim it had not committed was never visible. When an engine dies, calls
 * under way take longer and go on with the next engine at the same path; if its handler has state they end
 * with IH_ERROR_GONE and may have been executed. A lane whose host wrote nonsense is closed, alone. All
 * memory is anonymous: nothing is left behind but a socket and its lock file, which the next engine
 * takes over. A stopped process is slow, not dead.
 *
 * Forks. In a forked child every call that sends, receives or waits answers IH_ERROR_FORKED; ending handles
 * is harmless. What was lent before the fork must not be touched there. Attach in the child.
 *
 * ABI. Functions, statuses and constants are never taken away or renumbered within one SONAME
 * (libironhoard.so.0.1 for 0.1.x); new ones may come. Structs keep their size: `reserved` is room to grow,
 * must be zero where you fill it (the init functions see to that) and is zero where the library does. The
 * byte layout between processes has its own version, IH_LAYOUT_VERSION, agreed at attach.
 */

#ifndef IRONHOARD_H
#define IRONHOARD_H

#include <stddef.h>
#include <stdint.h>

#define IH_VERSION_MAJOR 0
#define IH_VERSION_MINOR 1
#define IH_VERSION_PATCH 0
#define IH_VERSION_NUMBER (IH_VERSION_MAJOR * 1000000 + IH_VERSION_MINOR * 1000 + IH_VERSION_PATCH)
#define IH_VERSION_STRING "0.1.0"

/* Durations. */
#define IH_MICROSECOND UINT64_C(1000)
#define IH_MILLISECOND UINT64_C(1000000)
#define IH_SECOND UINT64_C(1000000000)
#define IH_FOREVER UINT64_MAX

#include "ironhoard_layout.h" /* limits, statuses of replies, and the byte layout */

/* The half of a lane that receives: one thread at a time, not necessarily the producer's. */
typedef struct ih_consumer ih_consumer;
/* An engine. */
typedef struct ih_engine ih_engine;
/* A host's reader of one event ring: one thread at a time. */
typedef struct ih_events ih_events;
/* An attached host: a pool of lanes to one engine, and to its successors. */
typedef struct ih_host ih_host;
/* A lane: a request ring and a reply ring, with a half for each. */
typedef struct ih_lane ih_lane;
/* The half of a lane that sends: one thread at a time, not necessarily the consumer's. */
typedef struct ih_producer ih_producer;
/* The reply to the request in hand, written straight into the reply ring. */
typedef struct ih_reply ih_reply;
/* A producer shared by threads of this process. */
typedef struct ih_shared ih_shared;

// What a call answers. 0 is success; with every other status the outputs are untouched.
typedef enum {
    // Done.
    IH_OK = 0,
    // An ordinary answer: no room in the request ring now. Take replies, wait, or try again later.
    IH_FULL = -1,
    // An ordinary answer: there is nothing to take now.
    IH_EMPTY = -2,
    // No reply within the deadline. The request may have been executed; its reply will be dropped.
    IH_DEADLINE = -3,
    // No room for the request within the deadline. Nothing was sent.
    IH_NO_ROOM = -4,
    // A pointer that must not be NULL is NULL.
    IH_ERROR_NULL = -16,
    // No live handle of this kind: given back, detached, freed, or never one.
    IH_ERROR_HANDLE = -17,
    // An argument or an option that cannot be.
    IH_ERROR_ARGUMENT = -18,
    // A claim is open: commit or abort it first.
    IH_ERROR_CLAIM_OPEN = -19,
    // No claim is open.
    IH_ERROR_NO_CLAIM = -20,
    // A batch is open: publish or abort it first.
    IH_ERROR_BATCH_OPEN = -21,
    // No batch is open.
    IH_ERROR_NO_BATCH = -22,
    // Replies that were polled lie in place: release them first.
    IH_ERROR_UNRELEASED = -23,
    // The lane's producer is shared: lock it, or send through it.
    IH_ERROR_SHARED = -24,
    // This thread does not hold the lock, or holds it already.
    IH_ERROR_LOCK = -25,
    // An engine runs once: it runs already, or has run.
    IH_ERROR_RUNNING = -26,
    // The payload can never fit; the error's limit says what can.
    IH_ERROR_TOO_LARGE = -27,
    // A call while earlier requests of this lane have replies to come.
    IH_ERROR_OUTSTANDING = -28,
    // Waiting for room would never end: replies of this very lane wait to be taken.
    IH_ERROR_REPLIES_WAITING = -29,
    // All lanes declared at attach are taken.
    IH_ERROR_LANES_EXHAUSTED = -30,
    // This process is a forked child of the one that attached: attach in the child.
    IH_ERROR_FORKED = -31,
    // Nobody listens at the path.
    IH_ERROR_NO_ENGINE = -48,
    // This user may not connect to the path.
    IH_ERROR_NOT_ALLOWED = -49,
    // What is at the path is no engine's socket.
    IH_ERROR_NOT_AN_ENGINE = -50,
    // The path cannot be a socket's: too long, no file name, no such directory, not writable.
    IH_ERROR_PATH = -51,
    // The engine refused; the error's refusal says why.
    IH_ERROR_REFUSED = -52,
    // Engine and host have no layout version in common.
    IH_ERROR_VERSION = -53,
    // The 2 MiB pages that were demanded cannot be had.
    IH_ERROR_PAGES = -54,
    // The engine said nothing within the deadline.
    IH_ERROR_SILENCE = -55,
    // The engine hung up during the conversation.
    IH_ERROR_HUNG_UP = -56,
    // The engine is gone for good. Requests without a reply may have been executed.
    IH_ERROR_GONE = -64,
    // The engine closed this lane.
    IH_ERROR_LANE_CLOSED = -65,
    // The peer broke the protocol: a ring, a message or a region is not what it must be.
    IH_ERROR_CORRUPT = -66,
    // An engine lives at the path.
    IH_ERROR_LIVE = -80,
    // A shard cannot run on that core.
    IH_ERROR_CORE = -81,
    // A shard ended by a panic outside of any request.
    IH_ERROR_SHARD_LOST = -82,
    // The kernel refused; the error's system_error is its errno.
    IH_ERROR_SYSTEM = -96,
    // A defect of this library: a panic was caught at the border. Please report it.
    IH_ERROR_PANIC = -97,
} ih_status;

// The pages of regions.
typedef enum {
    // The largest that can be had; what was not got is logged.
    IH_PAGES_AUTO = 0,
    // 2 MiB, or IH_ERROR_PAGES.
    IH_PAGES_REQUIRE_HUGE = 1,
    // 4 KiB.
    IH_PAGES_SMALL = 2,
} ih_pages;

// What a shard does while it has nothing to do.
typedef enum {
    // Spin for wait_ns, then park. 200 us are usual.
    IH_WAIT_SPIN = 0,
    // Never park.
    IH_WAIT_BUSY = 1,
    // Yield for wait_ns, then park.
    IH_WAIT_YIELD = 2,
    // Park after a moment: the cheapest while idle, the slowest to answer.
    IH_WAIT_PARK = 3,
} ih_wait;

// How much to hear.
typedef enum {
    IH_LOG_ERROR = 1,
    IH_LOG_WARN = 2,
    IH_LOG_INFO = 3,
    IH_LOG_DEBUG = 4,
} ih_log_level;

// What ih_events_poll found. Overrun: this host was too slow. New life: another engine, new numbers.
typedef enum {
    IH_EVENT = 0,
    IH_EVENT_OVERRUN = 1,
    IH_EVENT_NEW_LIFE = 2,
} ih_event_answer;

// The last failure of the calling thread.
typedef struct {
    // What the call answered; IH_OK where nothing has failed yet.
    ih_status status;
    // The errno of the kernel's answer; 0 where the kernel was not asked or said nothing.
    int system_error;
    // Why the engine refused, one of IH_REFUSAL_...; 0 where it did not.
    uint32_t refusal;
    uint32_t reserved;
    // The number that would have been accepted: payload bytes, lanes; 0 where there is none.
    uint64_t limit;
    // What was wrong and what to do, UTF-8, never NULL. Rewritten by the thread's next failure.
    const char *message;
} ih_error;

// Hears one log line, which lives until it returns. Called from any thread, never on the hot path.
typedef void (*ih_log_sink)(void *context, uint32_t level, const char *line);

// How to attach, and how to wait. Fill it with ih_host_options_init, then change what you like.
typedef struct {
    // Lanes of the pool, 1 to IH_MAX_LANES; 0: event rings only, the capacities count for nothing then.
    uint32_t lanes;
    // Pages of the regions, one of ih_pages.
    uint32_t pages;
    // Bytes of each ring: powers of two, IH_MIN_CAPACITY to IH_MAX_CAPACITY.
    uint64_t request_capacity;
    uint64_t reply_capacity;
    // How long the whole conversation may take.
    uint64_t attach_deadline_ns;
    // How long to look for another engine when this one ends; 0: not at all.
    uint64_t patience_ns;
    // Rounds a waiting thread spins before it sleeps; a round takes 10 to 50 ns.
    uint32_t spin;
    // Version of the service that is wanted; 0: any.
    uint32_t service_version;
    // Name of the service that is wanted, at most 64 bytes; NULL: any.
    const char *service;
    // This host's own name, for people, at most 64 bytes; NULL: none.
    const char *name;
    // The engine's first so many event rings; 0: none; IH_ALL_EVENT_RINGS: all there are.
    uint32_t event_rings;
    uint32_t reserved_word;
    uint64_t reserved[7];
} ih_host_options;

// What was really got.
typedef struct {
    // A name for this host; it gives no authority.
    uint64_t host_id;
    // 1 after the attach, one more after each resume.
    uint64_t epoch;
    // Bytes of each ring.
    uint64_t request_capacity;
    uint64_t reply_capacity;
    // Bytes of each region, whole pages.
    uint64_t request_bytes;
    uint64_t reply_bytes;
    // Bytes of a page of each region: 4096 or 2097152.
    uint32_t request_page_bytes;
    uint32_t reply_page_bytes;
    // Lanes of the pool, shards of the engine.
    uint32_t lanes;
    uint32_t shards;
    // 1: membarrier spares both ends a fence for each message; 0: both fence.
    uint32_t membarrier;
    // Version of the engine's service.
    uint32_t service_version;
    // The engine's process, as the kernel says; 0 where this pid namespace has none.
    uint32_t engine_pid;
    // Event rings that this host may open.
    uint32_t event_rings;
    // Name of the engine's service, ends with a zero.
    char service[72];
    // Bytes of each event ring; 0 where there is none.
    uint64_t event_capacity;
    uint64_t reserved[7];
} ih_terms;

// What a host counts.
typedef struct {
    // Replies that came after their call had been given up, or for a lane given back.
    uint64_t late_replies;
    // Times another engine took over.
    uint64_t resumes;
    // Events that were lost because this host was too slow.
    uint64_t lost_events;
    uint64_t reserved[5];
} ih_host_counts;

// What ih_lane_call brought back.
typedef struct {
    // Bytes of payload copied, and those that the reply had: more where the buffer was too small.
    uint32_t copied;
    uint32_t payload_bytes;
    // The reply's kind: 0 success, below 0xff00 the handler's codes, from there the engine's own.
    uint16_t status;
    uint16_t reserved[3];
} ih_call_reply;

// A reply in place. The payload lies in memory that the engine can write: copy, check, then use.
typedef struct {
    // The number of the request that this answers.
    uint64_t number;
    // The payload, until ih_consumer_release; never NULL. And its bytes.
    const void *payload;
    uint32_t payload_bytes;
    // The status: 0 success, below 0xff00 the handler's codes, from there the engine's own.
    uint16_t kind;
    // Zero today.
    uint16_t flags;
} ih_record;

// An event whose payload was copied, or what else ih_events_poll found.
typedef struct {
    // One of ih_event_answer; what the others do not have is zero there.
    uint32_t answer;
    // What its handler says it is.
    uint16_t kind;
    // Zero today.
    uint16_t flags;
    // Its number in its ring, from 1. Overrun: the first that is lost. New life: that life's name, never 0.
    uint64_t number;
    // Overrun: the last that is lost.
    uint64_t last;
    // Bytes of its payload, and those that were copied: fewer where the buffer was too small.
    uint32_t payload_bytes;
    uint32_t copied;
    uint64_t reserved[2];
} ih_event;

// A request, lent to the handler until it returns.
typedef struct {
    // Its number in its lane, from 1; its name for ever.
    uint64_t number;
    // When it was taken, in nanoseconds of CLOCK_MONOTONIC; read now and then, not for each message.
    uint64_t now_ns;
    // The payload, aligned to 16 bytes: a private copy. In place: memory that the host can still write.
    const void *payload;
    uint32_t payload_bytes;
    // What the host asks for; the meaning is the handler's.
    uint16_t kind;
    // The shard that serves it.
    uint16_t shard;
} ih_request;

// Answers one request: its return value is the reply's kind, 0 for success, below 0xff00 codes of its own
// (or IH_STATUS_TOO_LARGE). What it wrote to `reply` travels along. It must return: no longjmp, no
// exception. Its inputs are the request and `context`, so that a recorded input replays to the same state.
typedef uint16_t (*ih_handler)(void *context, const ih_request *request, ih_reply *reply);

// Makes the context of a shard's handler, on that shard's pinned thread, so that its memory lies near by.
// NULL: it could not, and ih_engine_run answers IH_ERROR_SHARD_LOST.
typedef void *(*ih_make_shard)(void *context, uint32_t shard);

// Frees it, on the same thread, when the shard ends.
typedef void (*ih_free_shard)(void *shard_context);

// How to run an engine. Fill it with ih_engine_options_init, then set path and handler at least.
typedef struct {
    // Path of its socket.
    const char *path;
    // Called for each request, by one shard's thread at a time for each shard.
    ih_handler handler;
    // Handed to the handler, or to make_shard where there is one.
    void *context;
    // Makes what the handler of a shard gets as its context; NULL: all shards get `context`.
    ih_make_shard make_shard;
    // Frees what make_shard made; NULL: nothing.
    ih_free_shard free_shard;
    // The largest reply payload of the handler, in bytes; SIZE_MAX: all that a ring allows. A small
    // bound lets reply rings be used to their end.
    size_t largest_reply;
    // One shard for each of these cores, pinned to it; NULL and 0: see `shards`.
    const uint32_t *cores;
    size_t core_count;
    // Shards that the scheduler places, where no cores are given.
    uint32_t shards;
    // 1: the handler keeps no state, so hosts of a dead engine resume with this one.
    uint32_t stateless;
    // 1: payloads in place instead of copies, for handlers that read each word once and then check it.
    uint32_t in_place;
    // What a shard does while it has nothing to do, one of ih_wait.
    uint32_t wait;
    // For how long before it parks.
    uint64_t wait_ns;
    // The most requests a shard takes from one lane before it looks at the next.
    uint32_t budget;
    // Permission bits of the socket: who may attach at all.
    uint32_t socket_mode;
    // How long a halting engine goes on answering what hosts still commit.
    uint64_t drain_ns;
    // A request that saw so many engines die is answered with IH_STATUS_POISON.
    uint32_t poison_after;
    // 0: both ends fence instead, for engines that must not interrupt other processes.
    uint32_t membarrier;
    // Name of the service, at most 64 bytes; NULL: none. And its version.
    const char *service;
    uint32_t service_version;
    // The engine's own demand, one of ih_pages.
    uint32_t pages;
    // The uids that may attach; NULL and 0: all whom the socket's mode lets in.
    const uint32_t *allowed_uids;
    size_t allowed_uid_count;
    // The most hosts, in all and of one uid.
    uint32_t max_hosts;
    uint32_t max_hosts_per_uid;
    // The most bytes of regions for one uid.
    uint64_t max_bytes_per_uid;
    // The largest capacity of a ring, in bytes.
    uint64_t max_capacity;
    // The most lanes of one host.
    uint32_t max_lanes_per_host;
    // Event rings of each shard; all shards together have IH_MAX_EVENT_RINGS at most.
    uint32_t event_rings;
    // How long a host may be silent in each step of the conversation.
    uint64_t silence_ns;
    // Bytes of each event ring, a power of two; an event has an eighth at most. 0: IH_DEFAULT_CAPACITY.
    uint64_t event_capacity;
    uint64_t reserved[7];
} ih_engine_options;

// What an engine counts.
typedef struct {
    // Requests answered, hosts attached.
    uint64_t requests;
    uint64_t attached;
    // Hosts resumed after the death of another engine.
    uint64_t resumed;
    // Hosts that left with a word, hosts that died or hung up without one.
    uint64_t detached;
    uint64_t deaths;
    // Conversations that ended in a refusal.
    uint64_t refused;
    // Lanes closed because the host wrote nonsense.
    uint64_t corrupt_lanes;
    // Panics of the handler, each answered with IH_STATUS_PANIC; 0 where the handler is C's.
    uint64_t panics;
    // Requests not tried again because they had seen too many engines die.
    uint64_t poisoned;
    // Requests refused for a flag this engine does not know.
    uint64_t unknown_flags;
    // Times a lane was passed over because its reply ring had no room for the largest reply.
    uint64_t skipped;
    // Times a shard parked, doorbells rung for hosts that wait for replies.
    uint64_t parks;
    uint64_t rings;
    // Times a shard had been moved from its core and was pinned again.
    uint64_t repins;
    // Events published, and doorbells rung for hosts that wait for them.
    uint64_t events;
    uint64_t event_rings;
    uint64_t reserved[6];
} ih_engine_counts;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// ---- Library ---------------------------------------------------------------------------------
// Version of the library that runs: major * 1000000 + minor * 1000 + patch, like IH_VERSION_NUMBER.
uint32_t ih_version(void);

// The same as text, like IH_VERSION_STRING. Lives for ever.
const char *ih_version_string(void);

// What a status means, and what to do; a sentence that says so where it is none. Lives for ever.
const char *ih_strerror(int status);

// The last failure of the calling thread. Never NULL; changes with the thread's next failure.
const ih_error *ih_last_error(void);

// Sends log lines up to `level` to `sink`, from now on; NULL: to nobody. They tell what was not got
// (2 MiB pages, a core) and what happens to peers. A line at a time; the
// sink must not call this function. Where it is never called nothing is logged.
ih_status ih_log_to(ih_log_sink sink, void *context, uint32_t level);

// ---- Host ------------------------------------------------------------------------------------
// The usual options: one lane of 1 MiB rings, 5 s to attach, 30 s of patience, 4096 rounds of spinning.
ih_status ih_host_options_init(ih_host_options *options);

// Attaches to the engine at `path`. `options` may be NULL: the usual ones. Takes milliseconds.
ih_status ih_host_attach(const char *path, const ih_host_options *options, ih_host **host);

// Detaches and sets `*host` to NULL; a NULL there is done already. Lanes that are still taken go on
// working; the engine is told when the last of them was given back.
ih_status ih_host_detach(ih_host **host);

// What was really got. Any thread.
ih_status ih_host_terms(const ih_host *host, ih_terms *terms);

// What this host has counted. Any thread.
ih_status ih_host_read_counts(const ih_host *host, ih_host_counts *counts);

// ---- Lane: both halves, used by one thread ---------------------------------------------------
// Takes a lane from the host's pool. Any thread. Only IH_ERROR_LANES_EXHAUSTED where all are taken.
ih_status ih_lane_take(ih_host *host, ih_lane **lane);

// Gives it back and sets `*lane` to NULL; a NULL there is done already. Its producer, consumer and
// shared producer end with it; what was claimed and not committed is aborted, replies to come are dropped.
ih_status ih_lane_give_back(ih_lane **lane);

// The half that sends. Lent until the lane is given back; NULL where `lane` is not live.
ih_producer *ih_lane_producer(ih_lane *lane);

// The half that receives. Lent until the lane is given back; NULL where `lane` is not live.
ih_consumer *ih_lane_consumer(ih_lane *lane);

// Sends a copy of `payload` and waits for the reply, which is copied to `buffer` as far as it goes.
// `buffer` may be NULL where `capacity` is 0, `payload` where `payload_bytes` is. Spins, then sleeps.
ih_status ih_lane_call(ih_lane *lane,
                       uint16_t kind,
                       const void *payload,
                       size_t payload_bytes,
                       uint64_t deadline_ns,
                       void *buffer,
                       size_t capacity,
                       ih_call_reply *reply);

// The same without copies: commits the producer's open claim, waits, and leaves the reply in place,
// until ih_consumer_release. After IH_DEADLINE the claim is gone and the reply will be dropped.
ih_status ih_lane_call_in_place(ih_lane *lane, uint16_t kind, uint64_t deadline_ns, ih_record *reply);

// As ih_producer_claim, but waits for room: IH_NO_ROOM at the deadline, IH_ERROR_REPLIES_WAITING
// where waiting would never end because replies of this lane were not taken.
ih_status ih_lane_claim_wait(ih_lane *lane, size_t payload_bytes, uint64_t deadline_ns, void **payload);

// As ih_consumer_wait; meanwhile it takes the next request's cache lines over here, so that the next
// round trip is faster. IH_EMPTY at once where nothing is under way.
ih_status ih_lane_wait(ih_lane *lane, uint64_t deadline_ns);

// Requests committed whose replies were not taken; 0 where `lane` is not live.
uint64_t ih_lane_outstanding(const ih_lane *lane);

// Which of the host's lanes this is; UINT32_MAX where `lane` is not live.
uint32_t ih_lane_index(const ih_lane *lane);

// Shares the producer among threads. From now on it is used through `shared` alone, which is lent
// until the lane is given back.
ih_status ih_lane_share(ih_lane *lane, ih_shared **shared);

// ---- Producer --------------------------------------------------------------------------------
// Claims room for a request of `payload_bytes` bytes, to be written in place at `*payload` (16 bytes
// behind a cache line's start). Never blocks: IH_FULL. One claim at a time. In a batch, IH_FULL
// makes visible what the batch holds.
ih_status ih_producer_claim(ih_producer *producer, size_t payload_bytes, void **payload);

// Commits the claim: the engine sees it, or in a batch, it joins the batch. `number` may be NULL; else
// it gets the request's number, which its reply will carry.
ih_status ih_producer_commit(ih_producer *producer, uint16_t kind, uint64_t *number);

// Commits only the first `len` bytes of the claim.
ih_status ih_producer_commit_shorter(ih_producer *producer, uint16_t kind, size_t len, uint64_t *number);

// Gives the claim up: nothing is sent, no number is used.
ih_status ih_producer_abort(ih_producer *producer);

// Opens a batch: what is committed until its end becomes visible in one step, which is the fastest
// way to stream. (The end of the ring may make a part visible before.)
ih_status ih_producer_batch(ih_producer *producer);

// Publishes the batch. `next` may be NULL; else it gets the number of the next request.
ih_status ih_producer_publish(ih_producer *producer, uint64_t *next);

// Gives the batch up, as far as it is not visible.
ih_status ih_producer_abort_batch(ih_producer *producer);

// The largest payload of a request, in bytes; 0 where `producer` is not live.
uint32_t ih_producer_payload_limit(const ih_producer *producer);

// The number that the next request will have; 0 where `producer` is not live or not this thread's.
uint64_t ih_producer_next_number(const ih_producer *producer);

// ---- Consumer --------------------------------------------------------------------------------
// Takes up to `max` replies, in order, into `records`; `count` gets how many, 0 where there are none.
// They lie in place until ih_consumer_release, which comes before the next poll. Never blocks.
ih_status ih_consumer_poll(ih_consumer *consumer, ih_record *records, size_t max, size_t *count);

// Looks at the next reply without taking it; IH_EMPTY where there is none. Nothing to release. The
// record is valid until the next call with this consumer.
ih_status ih_consumer_peek(ih_consumer *consumer, ih_record *record);

// Gives the room of the polled replies back. IH_OK also where nothing was polled.
ih_status ih_consumer_release(ih_consumer *consumer);

// Waits until there is a reply: IH_EMPTY at the deadline. Spins first, whatever the deadline, then sleeps.
ih_status ih_consumer_wait(ih_consumer *consumer, uint64_t deadline_ns);

// A descriptor for an event loop (epoll, poll, libuv): readable when this consumer should look.
// It stays the same while engines come and go. Never read or close it; it ends with the lane.
ih_status ih_consumer_fd(ih_consumer *consumer, int *fd);

// Before sleeping on the descriptor: asks to be rung. `ready` gets 1 where there is something already
// (a reply, or an end that the next poll will tell): don't sleep, poll. Else 0.
ih_status ih_consumer_arm(ih_consumer *consumer, int *ready);

// After sleeping on the descriptor: silences it. Then poll until nothing is found, and arm again.
ih_status ih_consumer_disarm(ih_consumer *consumer);

// ---- Shared producer: any thread -------------------------------------------------------------
// Sends one request with a copy of `payload`. `number` may be NULL. IH_FULL like a claim.
ih_status ih_shared_send(ih_shared *shared, uint16_t kind, const void *payload, size_t len, uint64_t *number);

// Locks it and opens a batch: claim and commit with `*producer` as many as belong together, then
// unlock soon. IH_ERROR_LOCK where this thread holds it already.
ih_status ih_shared_lock(ih_shared *shared, ih_producer **producer);

// Aborts an open claim, publishes the batch, unlocks. `next` may be NULL; else it gets the number of the
// next request. IH_ERROR_LOCK where this thread does not hold it.
ih_status ih_shared_unlock(ih_shared *shared, uint64_t *next);

// ---- Event rings: what handlers publish to all hosts -----------------------------------------
// Opens event ring `ring`, from 0 (shard s has those from s * event_rings on), at the oldest event that is
// retained. One reader at a time: IH_ERROR_ARGUMENT where it is open, or was not wished for. Any thread.
ih_status ih_events_open(ih_host *host, uint32_t ring, ih_events **events);

// Closes it and sets `*events` to NULL; a NULL there is done already. It may outlive its host's detach.
ih_status ih_events_close(ih_events **events);

// Takes the next event, its payload copied to `buffer` as far as it goes; or tells which numbers are lost,
// or of a new life. Never blocks: IH_EMPTY. Without an event what `buffer` holds means nothing.
ih_status ih_events_poll(ih_events *events, void *buffer, size_t capacity, ih_event *event);

// Waits until there is something to poll: IH_EMPTY at the deadline. Spins first, then sleeps.
ih_status ih_events_wait(ih_events *events, uint64_t deadline_ns);

// For an event loop, as ih_consumer_fd; it ends with ih_events_close.
ih_status ih_events_fd(ih_events *events, int *fd);

// As ih_consumer_arm, before sleeping on it.
ih_status ih_events_arm(ih_events *events, int *ready);

// As ih_consumer_disarm, after sleeping on it.
ih_status ih_events_disarm(ih_events *events);

// Passes over all that is there. `skipped` may be NULL; else it gets how many events that were.
ih_status ih_events_skip(ih_events *events, uint64_t *skipped);

// The largest payload of an event, in bytes; 0 where `events` is not live.
uint32_t ih_events_payload_limit(const ih_events *events);

// ---- Engine ----------------------------------------------------------------------------------
// The usual options: one shard that is not pinned, state that dies with the engine, a socket of mode 0600.
ih_status ih_engine_options_init(ih_engine_options *options);

// Takes the path: a stale one is taken over, a living engine's is refused. Hosts may connect from now on
// and wait until ih_engine_run. Options and their strings may go afterwards.
ih_status ih_engine_bind(const ih_engine_options *options, ih_engine **engine);

// Serves until stopped, once. The calling thread is busy with it; shards have threads of their own. The
// process becomes undumpable, so that hosts of the same uid cannot read its memory.
ih_status ih_engine_run(ih_engine *engine);

// Stops it, before or while it runs: what hosts have committed is answered first. Any thread, and a
// signal handler: it is one write, leaves errno alone, and stores no error.
ih_status ih_engine_stop(const ih_engine *engine);

// What it has counted, live. Any thread.
ih_status ih_engine_read_counts(const ih_engine *engine, ih_engine_counts *counts);

// Frees it and sets `*engine` to NULL; a NULL there is done already. IH_ERROR_RUNNING while it runs:
// stop it and let ih_engine_run return first.
ih_status ih_engine_free(ih_engine **engine);

// ---- In a handler ----------------------------------------------------------------------------
// Claims `payload_bytes` bytes of reply, to be written in place. A second claim gives the first up; what is
// not claimed is an empty reply. IH_ERROR_TOO_LARGE above ih_reply_limit.
ih_status ih_reply_claim(ih_reply *reply, size_t payload_bytes, void **payload);

// Writes a whole reply. `payload` may be NULL where `payload_bytes` is 0.
ih_status ih_reply_write(ih_reply *reply, const void *payload, size_t payload_bytes);

// The most this reply can carry, in bytes; 0 outside of the handler.
size_t ih_reply_limit(const ih_reply *reply);

// Claims an event in the shard's event ring `ring`, from 0, to be written in place and published to all
// hosts. Never full. A second claim gives the first up, and so does the handler's return.
// IH_ERROR_ARGUMENT where there is no such ring, IH_ERROR_TOO_LARGE above an eighth of it.
ih_status ih_event_claim(ih_reply *reply, uint32_t ring, size_t payload_bytes, void **payload);

// Publishes the claimed event, at once: hosts see it before the reply. `number` may be NULL; else it gets
// the event's number in its ring.
ih_status ih_event_publish(ih_reply *reply, uint16_t kind, uint64_t *number);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* IRONHOARD_H */
