#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/metrics.h"

namespace modelmill::wire {

/// A number that one thread adds to and any thread reads; adding costs no more than to a plain number.
class LoopCounter {
 public:
  void add(uint64_t n = 1) { value_.store(value() + n, std::memory_order_release); }
  uint64_t value() const { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<uint64_t> value_{0};
};

/// What a request is spoken in.
enum class Protocol { kHttp1, kHttp2, kGrpc };
inline constexpr size_t kProtocols = 3;

/// Why a connection has ended: the client left, the server was done with it, it broke, or it was cut.
enum class CloseReason { kClient, kServer, kBroken, kCut };
inline constexpr size_t kCloseReasons = 4;

/// What the connections of one loop have done so far, written by that loop's thread alone.
struct alignas(64) LoopCounters {
  LoopCounter received_bytes;
  LoopCounter sent_bytes;
  std::array<LoopCounter, kProtocols> begun;  // requests
  std::array<LoopCounter, kProtocols> ended;
  std::array<LoopCounter, kCloseReasons> closed;

  void begin_request(Protocol protocol) { begun[static_cast<size_t>(protocol)].add(); }
  void end_requests(Protocol protocol, size_t n = 1) { ended[static_cast<size_t>(protocol)].add(n); }
};

/// The counters of all loops and their series, in which they are summed when they are read.
class WireCounters {
 public:
  WireCounters(size_t loops, MetricRegistry& metrics);
  LoopCounters& of_loop(size_t i) { return (*loops_)[i]; }

 private:
  using Loops = std::vector<LoopCounters>;
  std::shared_ptr<Loops> loops_;  // shared with the series' readers
  std::vector<MetricRegistry::Handle> series_;
};

}  // namespace modelmill::wire
