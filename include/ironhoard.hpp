/* Ironhoard for C++17 and later: the handles of ironhoard.h as objects that end themselves.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 *   auto host = ironhoard::Host::attach("/run/echo.sock");
 *   if (!host) return std::fprintf(stderr, "%s\n", host.message()), 1;
 *   auto lane = host->lane();
 *   if (!lane) return std::fprintf(stderr, "%s\n", lane.message()), 1;
 *   char answer[64];
 *   auto reply = lane->call(1, std::string_view("hello"), answer, IH_SECOND);
 *
 *   Host ──▶ Lane ──▶ Producer ──▶ Claim, Batch        owned: Host, Lane, Events, Engine
 *                 ──▶ Consumer ──▶ Replies             guards: Claim, Batch, Replies, Lock
 *                 ──▶ Shared   ──▶ Lock                lent: Producer, Consumer, Shared
 *        ──▶ Events
 *   Engine ──▶ your handler (Request, Reply)
 *
 * The contract is that of ironhoard.h: threads, lifetimes, deadlines, errors. What is added:
 *
 * - Owned objects and guards can be moved, not copied, and end when they go out of scope: a claim that was
 *   not committed is aborted, a batch that was not published is dropped, polled replies are released. A
 *   guard must not outlive the lane it came from.
 * - Nothing is thrown and nothing is allocated. What can fail gives a Result: false in a condition, with a
 *   status and a message, or the value. The message is that of the thread's last failure: read it at once.
 * - Bytes and MutableBytes take anything with data() and size() over plain bytes: std::string_view,
 *   std::vector, std::array, and from C++20 on std::span, into which they convert as well.
 *
 * Cost: none; every function is one call into the library. Functions that only look (payload_limit, …)
 * answer as in C. ironhoard.h is included; both can be used side by side through get().
 */
#ifndef IRONHOARD_HPP
#define IRONHOARD_HPP

#if defined(_MSVC_LANG) || !defined(__cplusplus) || __cplusplus < 201703L
#error "ironhoard.hpp needs C++17: compile with -std=c++17, or use ironhoard.h"
#endif

#include "ironhoard.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#if __cplusplus >= 202002L && __has_include(<span>)
#include <span>
#endif

namespace ironhoard {

namespace detail {

/* Elements whose bytes may be copied one by one. */
template <class T> constexpr bool is_plain = std::is_trivially_copyable_v<std::remove_cv_t<T>>;

template <class Range>
using element = std::remove_pointer_t<decltype(std::declval<Range &>().data())>;

/* A pointer that is dropped when it goes out of scope, unless it was taken before. */
template <class T, void (*drop)(T *)> class Guard {
  public:
    explicit Guard(T *pointer = nullptr) noexcept : pointer_(pointer) {}
    Guard(Guard &&other) noexcept : pointer_(other.take()) {}
    Guard &operator=(Guard &&other) noexcept {
        if (this != &other) {
            end();
            pointer_ = other.take();
        }
        return *this;
    }
    ~Guard() { end(); }

    T *get() const noexcept { return pointer_; }
    T *take() noexcept { return std::exchange(pointer_, nullptr); }
    void end() noexcept {
        if (T *pointer = take()) drop(pointer);
    }

  private:
    T *pointer_;
};

inline void drop_claim(ih_producer *producer) { (void)ih_producer_abort(producer); }
inline void drop_batch(ih_producer *producer) {
    if (ih_producer_abort_batch(producer) != IH_ERROR_CLAIM_OPEN) return;
    (void)ih_producer_abort(producer);
    (void)ih_producer_abort_batch(producer);
}
inline void drop_replies(ih_consumer *consumer) { (void)ih_consumer_release(consumer); }
inline void drop_lock(ih_shared *shared) { (void)ih_shared_unlock(shared, nullptr); }
inline void drop_lane(ih_lane *lane) { (void)ih_lane_give_back(&lane); }
inline void drop_events(ih_events *events) { (void)ih_events_close(&events); }
inline void drop_host(ih_host *host) { (void)ih_host_detach(&host); }
inline void drop_engine(ih_engine *engine) { (void)ih_engine_free(&engine); }

}

/* Bytes that are read. Lent: valid as long as what they lie in. */
class Bytes {
  public:
    constexpr Bytes() noexcept = default;
    Bytes(const void *data, std::size_t size) noexcept
        : data_(static_cast<const std::byte *>(data)), size_(size) {}

    /* Not of char: does the zero of "text" belong to it? std::string_view("text") says no. */
    template <class T, std::size_t N,
              class = std::enable_if_t<detail::is_plain<T> && !std::is_same_v<T, char>>>
    Bytes(const T (&array)[N]) noexcept : Bytes(array, sizeof array) {}

    template <class Range, class T = detail::element<const Range>,
              class = std::enable_if_t<detail::is_plain<T>>,
              class = decltype(std::declval<const Range &>().size())>
    Bytes(const Range &range) noexcept : Bytes(range.data(), range.size() * sizeof(T)) {}

    const std::byte *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const std::byte *begin() const noexcept { return data_; }
    const std::byte *end() const noexcept { return data_ + size_; }

    /* Copies out the value at `offset`; false, and `value` untouched, where it would not lie inside. For
     * memory that the peer can write: copy a value once, check it, then use it. */
    template <class T> [[nodiscard]] bool read(std::size_t offset, T &value) const noexcept {
        static_assert(detail::is_plain<T>, "only plain values travel");
        if (size_ < sizeof value || offset > size_ - sizeof value) return false;
        std::memcpy(&value, data_ + offset, sizeof value);
        return true;
    }

  private:
    const std::byte *data_ = nullptr;
    std::size_t size_ = 0;
};

/* Bytes that are written. Lent, as above. */
class MutableBytes {
  public:
    constexpr MutableBytes() noexcept = default;
    MutableBytes(void *data, std::size_t size) noexcept
        : data_(static_cast<std::byte *>(data)), size_(size) {}

    template <class T, std::size_t N, class = std::enable_if_t<detail::is_plain<T> && !std::is_const_v<T>>>
    MutableBytes(T (&array)[N]) noexcept : MutableBytes(array, sizeof array) {}

    template <class Range, class T = detail::element<Range>,
              class = std::enable_if_t<detail::is_plain<T> && !std::is_const_v<T>>,
              class = decltype(std::declval<Range &>().size())>
    MutableBytes(Range &&range) noexcept : MutableBytes(range.data(), range.size() * sizeof(T)) {}

    std::byte *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    std::byte *begin() const noexcept { return data_; }
    std::byte *end() const noexcept { return data_ + size_; }

    /* Copies `value` to `offset`; false, and nothing written, where it would not lie inside. */
    template <class T> [[nodiscard]] bool write(std::size_t offset, const T &value) const noexcept {
        static_assert(detail::is_plain<T>, "only plain values travel");
        if (size_ < sizeof value || offset > size_ - sizeof value) return false;
        std::memcpy(data_ + offset, &value, sizeof value);
        return true;
    }

  private:
    std::byte *data_ = nullptr;
    std::size_t size_ = 0;
};

/* A value, or the status that there is instead of one. */
template <class T> class [[nodiscard]] Result {
  public:
    Result(ih_status status) noexcept : status_(status) {}
    Result(T &&value) noexcept : status_(IH_OK), value_(std::move(value)) {}

    explicit operator bool() const noexcept { return status_ == IH_OK; }
    ih_status status() const noexcept { return status_; }

    /* What was wrong and what to do: of this thread's last failure, so ask before the next call. The
     * ordinary answers (IH_FULL, IH_EMPTY, …) have one too. */
    const char *message() const noexcept {
        const ih_error *error = ih_last_error();
        return error->status == status_ ? error->message : ih_strerror(status_);
    }

    /* The value; an empty one (a handle that every call refuses) where there is a status instead. */
    T &value() & noexcept { return value_; }
    const T &value() const & noexcept { return value_; }
    T &&value() && noexcept { return std::move(value_); }
    T &operator*() & noexcept { return value_; }
    const T &operator*() const & noexcept { return value_; }
    T &&operator*() && noexcept { return std::move(value_); }
    T *operator->() noexcept { return &value_; }
    const T *operator->() const noexcept { return &value_; }

  private:
    ih_status status_;
    T value_{};
};

/* Room for one request, written in place. Commit or abort it; going out of scope aborts. */
class [[nodiscard]] Claim {
  public:
    Claim() noexcept = default;
    Claim(ih_producer *producer, void *data, std::size_t size) noexcept
        : open_(producer), bytes_(data, size) {}

    MutableBytes bytes() const noexcept { return bytes_; }
    std::byte *data() const noexcept { return bytes_.data(); }
    std::size_t size() const noexcept { return bytes_.size(); }

    /* Sends it; gives its number. */
    Result<std::uint64_t> commit(std::uint16_t kind) noexcept {
        std::uint64_t number = 0;
        if (ih_status status = ih_producer_commit(open_.get(), kind, &number)) return status;
        detach();
        return std::uint64_t(number);
    }

    /* Sends only its first `size` bytes. */
    Result<std::uint64_t> commit_shorter(std::uint16_t kind, std::size_t size) noexcept {
        std::uint64_t number = 0;
        if (ih_status status = ih_producer_commit_shorter(open_.get(), kind, size, &number)) return status;
        detach();
        return std::uint64_t(number);
    }

    void abort() noexcept {
        open_.end();
        bytes_ = {};
    }

    /* Lets go of it without ending it: the C functions go on with it. */
    void detach() noexcept {
        (void)open_.take();
        bytes_ = {};
    }

  private:
    detail::Guard<ih_producer, detail::drop_claim> open_;
    MutableBytes bytes_;
};

namespace detail {

inline Result<Claim> claim(ih_producer *producer, std::size_t size) noexcept {
    void *room = nullptr;
    if (ih_status status = ih_producer_claim(producer, size, &room)) return status;
    return Claim(producer, room, size);
}

}

/* Requests that become visible in one step. Publish it; going out of scope drops it. */
class [[nodiscard]] Batch {
  public:
    explicit Batch(ih_producer *producer = nullptr) noexcept : open_(producer) {}

    Result<Claim> claim(std::size_t size) noexcept { return detail::claim(open_.get(), size); }

    /* Makes it visible; gives the number of the request after it. */
    Result<std::uint64_t> publish() noexcept {
        std::uint64_t next = 0;
        if (ih_status status = ih_producer_publish(open_.get(), &next)) return status;
        (void)open_.take();
        return std::uint64_t(next);
    }

    /* Drops it, and a claim that is still open in it. */
    void abort() noexcept { open_.end(); }

  private:
    detail::Guard<ih_producer, detail::drop_batch> open_;
};

/* The half of a lane that sends. Lent: valid until its lane is given back. */
class Producer {
  public:
    Producer() noexcept = default;
    explicit Producer(ih_producer *producer) noexcept : producer_(producer) {}

    /* Never blocks: IH_FULL. */
    Result<Claim> claim(std::size_t size) noexcept { return detail::claim(producer_, size); }

    Result<Batch> batch() noexcept {
        if (ih_status status = ih_producer_batch(producer_)) return status;
        return Batch(producer_);
    }

    std::uint32_t payload_limit() const noexcept { return ih_producer_payload_limit(producer_); }
    std::uint64_t next_number() const noexcept { return ih_producer_next_number(producer_); }
    ih_producer *get() const noexcept { return producer_; }

  private:
    ih_producer *producer_ = nullptr;
};

/* A reply in place: in memory that the engine can write. */
class Reply {
  public:
    Reply() noexcept = default;
    explicit Reply(const ih_record &record) noexcept : record_(record) {}

    std::uint64_t number() const noexcept { return record_.number; }
    std::uint16_t status() const noexcept { return record_.kind; }
    Bytes payload() const noexcept { return Bytes(record_.payload, record_.payload_bytes); }
    const ih_record &get() const noexcept { return record_; }

  private:
    ih_record record_{};
};

/* Replies that were polled. Going out of scope gives their room back. */
class [[nodiscard]] Replies {
  public:
    class iterator {
      public:
        explicit iterator(const ih_record *record) noexcept : record_(record) {}
        Reply operator*() const noexcept { return Reply(*record_); }
        iterator &operator++() noexcept { return ++record_, *this; }
        bool operator!=(const iterator &other) const noexcept { return record_ != other.record_; }
        bool operator==(const iterator &other) const noexcept { return record_ == other.record_; }

      private:
        const ih_record *record_;
    };

    Replies() noexcept = default;
    Replies(ih_consumer *consumer, const ih_record *records, std::size_t count) noexcept
        : polled_(consumer), records_(records), count_(count) {}

    std::size_t size() const noexcept { return polled_.get() ? count_ : 0; }
    bool empty() const noexcept { return size() == 0; }
    Reply operator[](std::size_t index) const noexcept { return Reply(records_[index]); }
    iterator begin() const noexcept { return iterator(records_); }
    iterator end() const noexcept { return iterator(records_ + size()); }

    ih_status release() noexcept {
        ih_consumer *consumer = polled_.take();
        return consumer ? ih_consumer_release(consumer) : IH_OK;
    }

  private:
    detail::Guard<ih_consumer, detail::drop_replies> polled_;
    const ih_record *records_ = nullptr;
    std::size_t count_ = 0;
};

/* The half of a lane that receives. Lent: valid until its lane is given back. */
class Consumer {
  public:
    Consumer() noexcept = default;
    explicit Consumer(ih_consumer *consumer) noexcept : consumer_(consumer) {}

    /* Takes the replies that are there, as many as `records` has room for; none is a success too. `records`
     * is the caller's and lives as long as what is returned. Never blocks. */
    Result<Replies> poll(ih_record *records, std::size_t max) noexcept {
        std::size_t count = 0;
        if (ih_status status = ih_consumer_poll(consumer_, records, max, &count)) return status;
        return Replies(consumer_, records, count);
    }
    template <std::size_t N> Result<Replies> poll(ih_record (&records)[N]) noexcept {
        return poll(records, N);
    }

    /* The next reply without taking it: IH_EMPTY. Valid until the next call with this consumer. */
    Result<Reply> peek() noexcept {
        ih_record record;
        if (ih_status status = ih_consumer_peek(consumer_, &record)) return status;
        return Reply(record);
    }

    /* Waits for a reply: IH_EMPTY at the deadline. */
    ih_status wait(std::uint64_t deadline_ns) noexcept { return ih_consumer_wait(consumer_, deadline_ns); }

    /* For event loops: docs/C.md has the loop. */
    Result<int> fd() noexcept {
        int fd = -1;
        if (ih_status status = ih_consumer_fd(consumer_, &fd)) return status;
        return int(fd);
    }
    /* True: there is something already, poll instead of sleeping. */
    Result<bool> arm() noexcept {
        int ready = 0;
        if (ih_status status = ih_consumer_arm(consumer_, &ready)) return status;
        return bool(ready != 0);
    }
    ih_status disarm() noexcept { return ih_consumer_disarm(consumer_); }
    ih_consumer *get() const noexcept { return consumer_; }

  private:
    ih_consumer *consumer_ = nullptr;
};

/* The lock of a shared producer, with an open batch. Unlocking publishes it; so does going out of scope. */
class [[nodiscard]] Lock {
  public:
    Lock() noexcept = default;
    Lock(ih_shared *shared, ih_producer *producer) noexcept : held_(shared), producer_(producer) {}

    Result<Claim> claim(std::size_t size) noexcept {
        return detail::claim(held_.get() ? producer_ : nullptr, size);
    }

    /* Gives the number of the request after the batch. */
    Result<std::uint64_t> unlock() noexcept {
        std::uint64_t next = 0;
        if (ih_status status = ih_shared_unlock(held_.take(), &next)) return status;
        return std::uint64_t(next);
    }

  private:
    detail::Guard<ih_shared, detail::drop_lock> held_;
    ih_producer *producer_ = nullptr;
};

/* The producer of a lane, shared by threads. Lent: valid until its lane is given back; may be copied. */
class Shared {
  public:
    Shared() noexcept = default;
    explicit Shared(ih_shared *shared) noexcept : shared_(shared) {}

    /* Sends a copy of `payload`; gives its number. */
    Result<std::uint64_t> send(std::uint16_t kind, Bytes payload) noexcept {
        std::uint64_t number = 0;
        ih_status status = ih_shared_send(shared_, kind, payload.data(), payload.size(), &number);
        if (status != IH_OK) return status;
        return std::uint64_t(number);
    }

    Result<Lock> lock() noexcept {
        ih_producer *producer = nullptr;
        if (ih_status status = ih_shared_lock(shared_, &producer)) return status;
        return Lock(shared_, producer);
    }
    ih_shared *get() const noexcept { return shared_; }

  private:
    ih_shared *shared_ = nullptr;
};

/* One thread's way to the engine and back. Going out of scope gives it back to its host. */
class [[nodiscard]] Lane {
  public:
    explicit Lane(ih_lane *lane = nullptr) noexcept : owned_(lane) {}

    /* Sends a copy of `payload`, waits, and copies the reply to `buffer` as far as it goes. */
    Result<ih_call_reply> call(std::uint16_t kind, Bytes payload, MutableBytes buffer,
                               std::uint64_t deadline_ns) noexcept {
        ih_call_reply reply;
        ih_status status = ih_lane_call(owned_.get(), kind, payload.data(), payload.size(), deadline_ns,
                                        buffer.data(), buffer.size(), &reply);
        if (status != IH_OK) return status;
        return ih_call_reply(reply);
    }

    /* The same without copies: commits `claim` (of this lane), waits, and leaves the reply in place at
     * `record` until what is returned goes out of scope. */
    Result<Replies> call_in_place(Claim &&claim, std::uint16_t kind, std::uint64_t deadline_ns,
                                  ih_record &record) noexcept {
        ih_status status = ih_lane_call_in_place(owned_.get(), kind, deadline_ns, &record);
        if (status == IH_OK || status == IH_DEADLINE) claim.detach();
        if (status != IH_OK) return status;
        return Replies(ih_lane_consumer(owned_.get()), &record, 1);
    }

    /* Waits for room: IH_NO_ROOM at the deadline. */
    Result<Claim> claim_wait(std::size_t size, std::uint64_t deadline_ns) noexcept {
        void *room = nullptr;
        if (ih_status status = ih_lane_claim_wait(owned_.get(), size, deadline_ns, &room)) return status;
        return Claim(ih_lane_producer(owned_.get()), room, size);
    }

    /* Waits for a reply, and makes the next round trip faster: IH_EMPTY at the deadline. */
    ih_status wait(std::uint64_t deadline_ns) noexcept { return ih_lane_wait(owned_.get(), deadline_ns); }

    Producer producer() const noexcept { return Producer(ih_lane_producer(owned_.get())); }
    Consumer consumer() const noexcept { return Consumer(ih_lane_consumer(owned_.get())); }

    /* Shares the producer among threads; from now on it is used through this alone. */
    Result<Shared> share() noexcept {
        ih_shared *shared = nullptr;
        if (ih_status status = ih_lane_share(owned_.get(), &shared)) return status;
        return Shared(shared);
    }

    std::uint64_t outstanding() const noexcept { return ih_lane_outstanding(owned_.get()); }
    std::uint32_t index() const noexcept { return ih_lane_index(owned_.get()); }
    ih_status give_back() noexcept {
        ih_lane *lane = owned_.get();
        ih_status status = ih_lane_give_back(&lane);
        if (lane == nullptr) (void)owned_.take();
        return status;
    }
    ih_lane *get() const noexcept { return owned_.get(); }

  private:
    detail::Guard<ih_lane, detail::drop_lane> owned_;
};

/* A host's reader of one event ring. Going out of scope closes it. */
class [[nodiscard]] Events {
  public:
    explicit Events(ih_events *events = nullptr) noexcept : owned_(events) {}

    /* Takes the next event, its payload copied to `buffer` as far as it goes: IH_EMPTY. Its `answer` is
     * IH_EVENT, or it tells of lost events (IH_EVENT_OVERRUN) or of a new life (IH_EVENT_NEW_LIFE). */
    Result<ih_event> poll(MutableBytes buffer) noexcept {
        ih_event event;
        ih_status status = ih_events_poll(owned_.get(), buffer.data(), buffer.size(), &event);
        if (status != IH_OK) return status;
        return ih_event(event);
    }

    /* Waits until there is something to poll: IH_EMPTY at the deadline. */
    ih_status wait(std::uint64_t deadline_ns) noexcept { return ih_events_wait(owned_.get(), deadline_ns); }

    /* For event loops, as those of a Consumer. */
    Result<int> fd() noexcept {
        int fd = -1;
        if (ih_status status = ih_events_fd(owned_.get(), &fd)) return status;
        return int(fd);
    }
    Result<bool> arm() noexcept {
        int ready = 0;
        if (ih_status status = ih_events_arm(owned_.get(), &ready)) return status;
        return bool(ready != 0);
    }
    ih_status disarm() noexcept { return ih_events_disarm(owned_.get()); }

    /* Passes over all that is there; gives how many events that were. */
    Result<std::uint64_t> skip() noexcept {
        std::uint64_t skipped = 0;
        if (ih_status status = ih_events_skip(owned_.get(), &skipped)) return status;
        return std::uint64_t(skipped);
    }

    std::uint32_t payload_limit() const noexcept { return ih_events_payload_limit(owned_.get()); }
    ih_status close() noexcept {
        ih_events *events = owned_.get();
        ih_status status = ih_events_close(&events);
        if (events == nullptr) (void)owned_.take();
        return status;
    }
    ih_events *get() const noexcept { return owned_.get(); }

  private:
    detail::Guard<ih_events, detail::drop_events> owned_;
};

/* An attached host. Going out of scope detaches; lanes that are still taken go on working. */
class [[nodiscard]] Host {
  public:
    explicit Host(ih_host *host = nullptr) noexcept : owned_(host) {}

    /* The usual options, to be changed and handed to attach. */
    static ih_host_options options() noexcept {
        ih_host_options options;
        (void)ih_host_options_init(&options);
        return options;
    }

    static Result<Host> attach(const char *path) noexcept { return attached(path, nullptr); }
    static Result<Host> attach(const char *path, const ih_host_options &options) noexcept {
        return attached(path, &options);
    }

    Result<Lane> lane() noexcept {
        ih_lane *lane = nullptr;
        if (ih_status status = ih_lane_take(owned_.get(), &lane)) return status;
        return Lane(lane);
    }

    /* Opens event ring `ring`, from 0; options.event_rings says how many were wished for. */
    Result<Events> events(std::uint32_t ring) noexcept {
        ih_events *events = nullptr;
        if (ih_status status = ih_events_open(owned_.get(), ring, &events)) return status;
        return Events(events);
    }

    Result<ih_terms> terms() const noexcept {
        ih_terms terms;
        if (ih_status status = ih_host_terms(owned_.get(), &terms)) return status;
        return ih_terms(terms);
    }

    Result<ih_host_counts> counts() const noexcept {
        ih_host_counts counts;
        if (ih_status status = ih_host_read_counts(owned_.get(), &counts)) return status;
        return ih_host_counts(counts);
    }

    ih_status detach() noexcept {
        ih_host *host = owned_.get();
        ih_status status = ih_host_detach(&host);
        if (host == nullptr) (void)owned_.take();
        return status;
    }
    ih_host *get() const noexcept { return owned_.get(); }

  private:
    static Result<Host> attached(const char *path, const ih_host_options *options) noexcept {
        ih_host *host = nullptr;
        if (ih_status status = ih_host_attach(path, options, &host)) return status;
        return Host(host);
    }

    detail::Guard<ih_host, detail::drop_host> owned_;
};

/* A request in a handler's hands, until it returns. */
class Request {
  public:
    explicit Request(const ih_request &request) noexcept : request_(request) {}

    std::uint64_t number() const noexcept { return request_.number; }
    std::uint64_t now_ns() const noexcept { return request_.now_ns; }
    std::uint16_t kind() const noexcept { return request_.kind; }
    std::uint16_t shard() const noexcept { return request_.shard; }
    Bytes payload() const noexcept { return Bytes(request_.payload, request_.payload_bytes); }

  private:
    const ih_request &request_;
};

/* The reply a handler writes; what it does not write is an empty one. */
class ReplyWriter {
  public:
    explicit ReplyWriter(ih_reply *reply) noexcept : reply_(reply) {}

    ih_status write(Bytes payload) noexcept { return ih_reply_write(reply_, payload.data(), payload.size()); }

    /* Room in the reply ring itself. */
    Result<MutableBytes> claim(std::size_t size) noexcept {
        void *room = nullptr;
        if (ih_status status = ih_reply_claim(reply_, size, &room)) return status;
        return MutableBytes(room, size);
    }
    std::size_t limit() const noexcept { return ih_reply_limit(reply_); }

    /* Room for an event in the shard's event ring `ring`; a second claim gives the first up. */
    Result<MutableBytes> claim_event(std::uint32_t ring, std::size_t size) noexcept {
        void *room = nullptr;
        if (ih_status status = ih_event_claim(reply_, ring, size, &room)) return status;
        return MutableBytes(room, size);
    }

    /* Publishes the claimed event to all hosts; gives its number. */
    Result<std::uint64_t> publish(std::uint16_t kind) noexcept {
        std::uint64_t number = 0;
        if (ih_status status = ih_event_publish(reply_, kind, &number)) return status;
        return std::uint64_t(number);
    }

  private:
    ih_reply *reply_;
};

/* An engine. Going out of scope frees it; stop it and let run() return before that. */
class [[nodiscard]] Engine {
  public:
    explicit Engine(ih_engine *engine = nullptr) noexcept : owned_(engine) {}

    /* The usual options; set path and handler, the latter with serve_with. */
    static ih_engine_options options() noexcept {
        ih_engine_options options;
        (void)ih_engine_options_init(&options);
        return options;
    }

    /* Serves with `handler`, which is called as `std::uint16_t handler(Request, ReplyWriter)`, lives as long
     * as the engine, and is used by every shard's thread: with more than one shard it must bear that. An
     * exception becomes IH_STATUS_PANIC. */
    template <class Handler> static void serve_with(ih_engine_options &options, Handler &handler) noexcept {
        options.context = const_cast<void *>(static_cast<const void *>(&handler));
        options.handler = &handle<Handler>;
    }

    static Result<Engine> bind(const ih_engine_options &options) noexcept {
        ih_engine *engine = nullptr;
        if (ih_status status = ih_engine_bind(&options, &engine)) return status;
        return Engine(engine);
    }

    /* Serves until stopped, once. */
    ih_status run() noexcept { return ih_engine_run(owned_.get()); }

    /* Any thread, and a signal handler. */
    ih_status stop() const noexcept { return ih_engine_stop(owned_.get()); }

    Result<ih_engine_counts> counts() const noexcept {
        ih_engine_counts counts;
        if (ih_status status = ih_engine_read_counts(owned_.get(), &counts)) return status;
        return ih_engine_counts(counts);
    }

    ih_status free() noexcept {
        ih_engine *engine = owned_.get();
        ih_status status = ih_engine_free(&engine);
        if (engine == nullptr) (void)owned_.take();
        return status;
    }
    ih_engine *get() const noexcept { return owned_.get(); }

  private:
    template <class Handler>
    static std::uint16_t handle(void *context, const ih_request *request, ih_reply *reply) noexcept {
#if defined(__cpp_exceptions)
        try {
            return (*static_cast<Handler *>(context))(Request(*request), ReplyWriter(reply));
        } catch (...) {
            return IH_STATUS_PANIC;
        }
#else
        return (*static_cast<Handler *>(context))(Request(*request), ReplyWriter(reply));
#endif
    }

    detail::Guard<ih_engine, detail::drop_engine> owned_;
};

}

#if defined(__cpp_lib_ranges) && defined(__cpp_lib_span)
/* What they lie in outlives them, so a std::span can be made from a temporary one. */
template <> inline constexpr bool std::ranges::enable_borrowed_range<ironhoard::Bytes> = true;
template <> inline constexpr bool std::ranges::enable_borrowed_range<ironhoard::MutableBytes> = true;
#endif

#endif
