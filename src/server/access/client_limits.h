#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/mutex.h"
#include "wire/gatekeeper.h"

namespace modelmill {

/// Bounds what each client has under way and how often it asks. Of clients it remembers a bounded number: those with
/// requests in flight, and of the others the last ones. Thread-safe; tickets keep it alive.
class ClientLimits : public std::enable_shared_from_this<ClientLimits> {
 public:
  struct Options {
    double rate = 0;               // requests a second; 0: any
    int64_t burst = 0;             // that may come at once; 0: those of one second, at least one
    int64_t in_flight = 0;         // 0: any number
    size_t idle_clients = 65'536;  // remembered without a request in flight
  };

  explicit ClientLimits(const Options& options, const TimeSource& time = TimeSource::steady());

  enum class Refusal { kNone, kRate, kInFlight };
  struct Verdict {
    Refusal refusal = Refusal::kNone;
    Duration retry_after{};                // when it might succeed
    std::unique_ptr<wire::Ticket> ticket;  // null where nothing is counted
  };
  Verdict admit(const std::string& client);

  /// Remembered now.
  size_t clients() const;

 private:
  struct Client {
    TimePoint spent_until{};  // the bucket is full again then; before it, the distance from now tells what is missing
    int64_t in_flight = 0;
    std::list<const std::string*>::iterator idle{};  // its place in Shard::idle while in_flight is 0
  };
  using Clients = std::unordered_map<std::string, Client>;
  struct Shard {
    Mutex mutex;
    Clients clients MM_GUARDED_BY(mutex);
    std::list<const std::string*> idle MM_GUARDED_BY(mutex);  // names of clients with nothing in flight, oldest first
  };
  class Place;

  static constexpr size_t kShards = 16;
  Shard& shard_of(std::string_view client);
  void trim(Shard& shard) MM_REQUIRES(shard.mutex);
  void leave(Shard& shard, Clients::value_type& client);

  const TimeSource& time_;
  const Duration interval_;   // between two requests at the rate; zero: any rate
  const Duration tolerance_;  // how far ahead of the rate a client may be
  const int64_t most_in_flight_;
  const size_t idle_in_shard_;
  mutable std::array<Shard, kShards> shards_;
};

/// Whom a peer's address counts for: the address without its port, of IPv6 its /64 network.
std::string client_of_peer(std::string_view peer);

}  // namespace modelmill
